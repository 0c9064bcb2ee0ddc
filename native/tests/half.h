// fp16 on the CPU, for the tests of kernels that have it and for their emulation.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace vssl {

inline float value_of_half(uint16_t bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  float value;
  if (exponent == 31) {
    value = fraction == 0 ? std::numeric_limits<float>::infinity() : std::numeric_limits<float>::quiet_NaN();
  } else {
    value = exponent == 0 ? std::ldexp(static_cast<float>(fraction), -24)
                          : std::ldexp(static_cast<float>(1024 + fraction), exponent - 25);
  }
  return bits >> 15 ? -value : value;
}

/// The nearest fp16, ties to even; NaN becomes 0x7fff, as on the device.
inline uint16_t half_of(float x) {
  if (x != x) return 0x7fff;
  const uint16_t sign = std::signbit(x) ? 0x8000 : 0;
  const float size = std::fabs(x);
  if (size == 0) return sign;
  if (size >= 65520.0f) return sign | 0x7c00;  // half-way from the largest to what would be next
  int exponent = 0;
  std::frexp(size, &exponent);                                  // size = m 2^exponent, 1/2 <= m < 1
  const int least = exponent - 11 > -24 ? exponent - 11 : -24;  // the last bit's
  const auto steps = static_cast<uint32_t>(std::nearbyint(std::ldexp(size, -least)));
  // A whole 2048 carries into the exponent by itself.
  return static_cast<uint16_t>(sign | ((static_cast<uint32_t>(least + 24) << 10) + steps));
}

}  // namespace vssl
