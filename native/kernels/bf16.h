// Rounding of single values to bf16, for what is not worth vector code.
#pragma once

#include <cstdint>
#include <cstring>

namespace vssl {

/// The nearest bf16, ties to even, as a float. Not for NaN.
inline float to_bf16(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

/// Two of them in a word.
inline uint32_t pair_of(float low, float high) {
  uint32_t l, h;
  low = to_bf16(low);
  high = to_bf16(high);
  std::memcpy(&l, &low, sizeof l);
  std::memcpy(&h, &high, sizeof h);
  return l >> 16 | h;
}

}  // namespace vssl
