// Counter-based random numbers: value i of a stream is a pure function of (seed, stream name, i). No state,
// so any number of threads draws the same values, and no other user of randomness in the process can disturb
// them.
#pragma once

#include <cmath>
#include <cstdint>
#include <string_view>

namespace vssl::engine {

class CounterRandom {
 public:
  CounterRandom(uint64_t seed, std::string_view stream) : key_(mix(mix(seed) ^ hash(stream))) {}

  // In (0, 1), 53 bits.
  double uniform(uint64_t i) const { return (static_cast<double>(bits(i) >> 11) + 0.5) * 0x1p-53; }

  // Standard normal, by the inverse of the distribution function (Wichura, AS 241, routine PPND7: relative
  // error about 1e-7). One uniform gives one normal.
  double normal(uint64_t i) const {
    const double q = uniform(i) - 0.5;
    if (std::fabs(q) <= 0.425) {
      const double r = 0.180625 - q * q;
      return q * (((5.9109374720e1 * r + 1.5929113202e2) * r + 5.0434271938e1) * r + 3.3871327179) /
             (((6.7187563600e1 * r + 7.8757757664e1) * r + 1.7895169469e1) * r + 1.0);
    }
    double r = std::sqrt(-std::log(q < 0 ? 0.5 + q : 0.5 - q));
    double value = 0;
    if (r <= 5.0) {
      r -= 1.6;
      value = (((1.7023821103e-1 * r + 1.3067284816) * r + 2.7568153900) * r + 1.4234372777) /
              ((1.2021132975e-1 * r + 7.3700164250e-1) * r + 1.0);
    } else {
      r -= 5.0;
      value = (((1.7337203997e-2 * r + 4.2868294337e-1) * r + 3.0812263860) * r + 6.6579051150) /
              ((1.2258202635e-2 * r + 2.4197894225e-1) * r + 1.0);
    }
    return q < 0 ? -value : value;
  }

 private:
  // splitmix64 (Steele, Lea, Flood 2014).
  static uint64_t mix(uint64_t x) {
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
  }
  static uint64_t hash(std::string_view text) {  // FNV-1a
    uint64_t h = 0xcbf29ce484222325u;
    for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    return h;
  }
  uint64_t bits(uint64_t i) const { return mix(key_ + i * 0x9e3779b97f4a7c15u); }

  uint64_t key_;
};

}  // namespace vssl::engine
