// The one place where C++ exceptions of the kernels become JavaScript errors with a `code`.
#pragma once

#include <napi.h>

#include <exception>
#include <new>
#include <string>

#include "../common/error.h"

namespace vssl::binding {

struct Failure {
  std::string code;
  std::string message;
};

/// Describes the exception being handled; call inside a catch block.
inline Failure current_failure() {
  try {
    throw;
  } catch (const Error& error) {
    return {error.code, error.what()};
  } catch (const std::bad_alloc&) {
    return {"ERR_VSSL_OUT_OF_MEMORY", "not enough memory for this call"};
  } catch (const std::exception& error) {
    return {"ERR_VSSL_INTERNAL", error.what()};
  } catch (...) {
    return {"ERR_VSSL_INTERNAL", "unknown native error"};
  }
}

inline Napi::Error to_js_error(Napi::Env env, const Failure& failure) {
  Napi::Error error = Napi::Error::New(env, failure.message);
  error.Set("code", Napi::String::New(env, failure.code));
  return error;
}

/// Runs `work`; its C++ exceptions are thrown as JavaScript errors, Napi::Error passes through.
template <typename Work>
auto guarded(Napi::Env env, Work&& work) -> decltype(work()) {
  try {
    return work();
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw to_js_error(env, current_failure());
  }
}

}  // namespace vssl::binding
