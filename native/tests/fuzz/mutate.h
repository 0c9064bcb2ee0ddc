// Changes to a file that keep its length, so that it still opens: fields, not structure.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <random>

namespace vssl::video::fuzz {

// Where containers keep what describes the rest.
constexpr size_t kHeadBytes = 700, kTailBytes = 1500;

inline void mutate_file(uint8_t* data, size_t size, std::mt19937& random) {
  static const uint64_t kNumbers[] = {
      0,          1,          2,          0x7F,       0x80,         0xFF,
      0x100,      0x7FFF,     0x8000,     0xFFFF,     0x10000,      0x1000000,
      0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFE, ~uint64_t{0}, uint64_t{1} << 62};
  const auto below = [&](size_t n) { return static_cast<size_t>(random()) % n; };
  for (size_t n = 1 + below(6); n > 0; --n) {
    size_t at = below(size);
    if (random() % 3 == 0) at = below(std::min(size, kHeadBytes));
    if (random() % 3 == 0) at = size - 1 - below(std::min(size, kTailBytes));
    switch (random() % 4) {
      case 0:
        data[at] ^= static_cast<uint8_t>(1u << (random() % 8));
        break;
      case 1:
        data[at] = static_cast<uint8_t>(random());
        break;
      case 2: {  // a run of bytes from elsewhere
        const size_t from = below(size), length = 1 + below(std::min<size_t>(64, size - std::max(at, from)));
        std::memmove(data + at, data + from, length);
        break;
      }
      default: {  // a number, in either order of bytes
        const uint64_t number = kNumbers[below(std::size(kNumbers))];
        const size_t width = size_t{1} << (random() % 4);
        const bool big = random() % 2 == 0;
        for (size_t i = 0; i < width && at + i < size; ++i)
          data[at + i] = static_cast<uint8_t>(number >> (8 * (big ? width - 1 - i : i)));
      }
    }
  }
}

}  // namespace vssl::video::fuzz
