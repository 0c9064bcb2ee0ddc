// Values of bf16, for tests.
#pragma once

#include <cstdint>
#include <cstring>

namespace vssl {

inline float from_bf16(uint16_t x) {
  const uint32_t bits = static_cast<uint32_t>(x) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

}  // namespace vssl
