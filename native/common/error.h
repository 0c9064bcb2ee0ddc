// The one exception type of the native code. Bindings turn `code` into the JavaScript error's code.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace vssl {

/// Wrong sizes, options or names given by the caller.
inline constexpr char kInvalidArgument[] = "ERR_VSSL_INVALID_ARGUMENT";

struct Error : std::runtime_error {
  std::string code;  ///< stable, "ERR_VSSL_..."

  Error(std::string error_code, const std::string& message)
      : std::runtime_error(message), code(std::move(error_code)) {}
};

}  // namespace vssl
