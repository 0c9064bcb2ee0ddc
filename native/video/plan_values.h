// Reading numbers of a plan. `name` is the entry's path in it, which errors tell.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>

#include "../common/value.h"

namespace vssl::video {

[[noreturn]] inline void fail(const std::string& name, const std::string& expected) {
  throw Error("ERR_VSSL_INVALID_ARGUMENT", "expected " + expected + " for " + name);
}

inline double finite(const Value& v, const std::string& name) {
  const double d = v.as_number(name);
  if (!std::isfinite(d)) fail(name, "a finite number");
  return d;
}

inline int64_t whole(const Value& v, const std::string& name, int64_t lowest, int64_t highest) {
  const double d = finite(v, name);
  if (d < static_cast<double>(lowest) || d > static_cast<double>(highest) || d != std::floor(d)) {
    fail(name, "a whole number from " + std::to_string(lowest) + " to " + std::to_string(highest));
  }
  return static_cast<int64_t>(d);
}

// The place of a word among `words`.
template <size_t N>
int one_of(const Value& v, const char* const (&words)[N], const std::string& name) {
  const std::string& word = v.as_string(name);
  std::string expected;
  for (size_t i = 0; i < N; ++i) {
    if (word == words[i]) return static_cast<int>(i);
    expected += (i == 0 ? "" : i + 1 < N ? ", " : " or ") + std::string(words[i]);
  }
  fail(name, expected);
}

}  // namespace vssl::video
