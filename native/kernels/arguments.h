// What the kernels expect of their arguments. All throw vssl::Error (ERR_VSSL_INVALID_ARGUMENT).
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "../common/error.h"

namespace vssl {

inline void expect_range(int64_t value, int64_t least, int64_t most, const char* name) {
  if (value < least || value > most) {
    throw Error(kInvalidArgument, "expected " + std::to_string(least) + ".." + std::to_string(most) +
                                      " for " + name + " but received " + std::to_string(value));
  }
}

inline void expect_memory(const void* out, const void* in) {
  if (out == nullptr || in == nullptr) throw Error(kInvalidArgument, "expected memory but received null");
}

inline void expect_threads(int threads) {
  expect_range(threads, 0, std::numeric_limits<int>::max(), "threads");
}

inline void expect_temperature(double temperature) {
  if (!std::isfinite(temperature) || temperature <= 0) {
    throw Error(kInvalidArgument,
                "expected a finite number > 0 for temperature but received " + std::to_string(temperature));
  }
}

/// Most pixels or rows that keep every index in range beside up to `other` of another size.
inline int64_t most_beside(int64_t other) { return std::numeric_limits<int64_t>::max() / 4096 / other; }

}  // namespace vssl
