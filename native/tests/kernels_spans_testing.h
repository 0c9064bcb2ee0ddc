// Clips, guarded outputs and comparisons for kernels_spans_test.cpp and kernels_ema_test.cpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "../common/error.h"
#include "kernels_testing.h"

namespace vssl {

/// What one fp32 sum of up to 64 products may be off by, relative to the norm of what is summed: 2^-24 a step
/// along the longest chain of additions (32), of which errors of random sign leave a quarter.
constexpr double kRelative = 8 * 0x1p-24;

/// Few roundings, relative to the size of what is combined.
constexpr double kRounding = 2 * 0x1p-24;

template <typename Work>
void check_throws(const std::string& what, Work&& work) {
  const std::string code = code_of(work);
  check(code == kInvalidArgument, what + ": code '" + code + "'");
}

/// Values at an address that is aligned for nothing wider than one of them, and the same in double.
template <typename In>
struct Clip {
  std::vector<In> memory;
  std::vector<double> exact;

  const In* data() const { return memory.data() + 1; }
  std::vector<float> floats() const { return {exact.begin(), exact.end()}; }
};

template <typename In>
Clip<In> make_clip(int64_t rows, int64_t pixels) {
  std::mt19937 random(static_cast<unsigned>(rows * 131 + pixels));
  std::normal_distribution<float> normal;
  Clip<In> clip;
  clip.memory.resize(rows * pixels + 1);
  for (In& value : clip.memory) {
    if constexpr (std::is_same_v<In, float>) {
      value = 3 * normal(random);
    } else {
      value = static_cast<In>(random() % 256);
    }
  }
  clip.exact.assign(clip.memory.begin() + 1, clip.memory.end());
  return clip;
}

/// Names a case of the path in use.
inline std::string at(const std::string& what, int64_t frames, int64_t pixels) {
  return std::string(isa_name(selected_isa())) + " " + what + " " + std::to_string(frames) + " x " +
         std::to_string(pixels);
}

/// Poisoned output at an odd address, with guards on both sides.
class Output {
 public:
  explicit Output(int64_t size) : memory_(size + 2 * kGuard, std::numeric_limits<float>::quiet_NaN()) {
    std::fill_n(memory_.begin(), kGuard, kMark);
    std::fill_n(memory_.end() - kGuard, kGuard, kMark);
  }

  float* data() { return memory_.data() + kGuard; }
  std::vector<double> values() const { return {memory_.begin() + kGuard, memory_.end() - kGuard}; }

  bool intact() const {
    const auto marked = [](float value) { return value == kMark; };
    return std::all_of(memory_.begin(), memory_.begin() + kGuard, marked) &&
           std::all_of(memory_.end() - kGuard, memory_.end(), marked);
  }

 private:
  static constexpr int64_t kGuard = 17;
  static constexpr float kMark = 12345;
  std::vector<float> memory_;
};

/// Of every pixel, over time.
inline std::vector<double> pixel_norms(const std::vector<double>& clip, int64_t rows, int64_t pixels) {
  std::vector<double> norms(pixels);
  for (int64_t p = 0; p < pixels; ++p) {
    for (int64_t r = 0; r < rows; ++r) norms[p] += clip[r * pixels + p] * clip[r * pixels + p];
    norms[p] = std::sqrt(norms[p]);
  }
  return norms;
}

/// Every value within kRelative of the size of its pixel, and nothing written beside the output.
inline void check_near(const Output& out, const std::vector<double>& expected,
                       const std::vector<double>& sizes, int64_t pixels, const std::string& what) {
  const std::vector<double> values = out.values();
  double worst = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double off = std::fabs(values[i] - expected[i]);
    if (off != 0 && !std::isnan(worst)) {
      const double tolerances = off / (kRelative * sizes[i % pixels]);
      if (!(tolerances <= worst)) worst = tolerances;  // NaN stays
    }
  }
  check(worst <= 1, what + ": off by " + std::to_string(worst) + " tolerances");
  check(out.intact(), what + ": wrote beside the output");
}

/// run(both) of a copy of `x` leaves `expected` at its beginning.
template <typename Run>
void check_in_place(const std::vector<float>& x, const std::vector<float>& expected, const std::string& what,
                    const Run& run) {
  std::vector<float> both = x;
  run(both.data());
  check(std::equal(expected.begin(), expected.end(), both.begin()), what + ": other values in place");
}

}  // namespace vssl
