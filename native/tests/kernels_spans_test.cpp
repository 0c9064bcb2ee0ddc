// Tests of the kernels along spans of memory (DCT, motion, frame difference, EMA, row normalisation) against
// the double-precision twins, over hostile sizes and values, on every ISA path. Prints a line per failure;
// the last line is "N passed, N failed".
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "kernels_spans_testing.h"
#include "kernels_testing.h"

namespace vssl {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

DctOptions dct_options(bool inverse, int64_t keep, int threads) {
  DctOptions options;
  options.inverse = inverse;
  options.keep = keep;
  options.threads = threads;
  return options;
}

DctMotionOptions motion_options(int64_t drop_low, MotionOutput output, int threads) {
  DctMotionOptions options;
  options.drop_low = drop_low;
  options.output = output;
  options.threads = threads;
  return options;
}

template <typename In>
void compare_dct(int64_t frames, int64_t pixels, int64_t keep, bool inverse) {
  const int64_t rows_in = inverse ? keep : frames, rows_out = inverse ? frames : keep;
  const Clip<In> clip = make_clip<In>(rows_in, pixels);
  std::vector<double> expected(rows_out * pixels);
  dct_reference(expected.data(), clip.exact.data(), frames, pixels, dct_options(inverse, keep, 0));
  const std::vector<double> tolerance = pixel_norms(clip.exact, rows_in, pixels);
  for (Isa isa : detected_isas()) {
    set_isa_for_test(isa);
    Output out(rows_out * pixels);
    dct(out.data(), clip.data(), frames, pixels, dct_options(inverse, keep, 2));
    check_near(out, expected, tolerance, pixels,
               at(inverse ? "inverse dct" : "dct", frames, pixels) + " keep " + std::to_string(keep));
  }
}

void test_dct() {
  for (int64_t frames = 1; frames <= 64; ++frames) {
    for (int64_t pixels : {1, 3, 15, 16, 17, 33}) {
      for (bool inverse : {false, true}) {
        compare_dct<float>(frames, pixels, frames, inverse);
        compare_dct<uint8_t>(frames, pixels, std::max<int64_t>(1, frames / 2), inverse);
      }
    }
    compare_dct<float>(frames, 49, 1, false);
    compare_dct<float>(frames, 49, 1, true);
    compare_dct<float>(frames, 49, std::max<int64_t>(1, frames - 1), false);
    compare_dct<float>(frames, 49, std::max<int64_t>(1, frames - 1), true);
  }
  for (int64_t frames : {4, 7, 8, 16, 17, 32, 64}) {
    compare_dct<float>(frames, 1000, frames, false);
    compare_dct<uint8_t>(frames, 1000, frames, false);
    compare_dct<float>(frames, 1000, frames, true);
  }
}

void test_dct_is_orthonormal() {
  const int64_t pixels = 37;
  for (Isa isa : detected_isas()) {
    set_isa_for_test(isa);
    for (int64_t frames = 1; frames <= 64; ++frames) {
      const Clip<float> clip = make_clip<float>(frames, pixels);
      Output there(frames * pixels), back(frames * pixels);
      dct(there.data(), clip.data(), frames, pixels, dct_options(false, 0, 1));
      dct(back.data(), there.data(), frames, pixels, dct_options(true, 0, 1));
      const std::vector<double> norms = pixel_norms(clip.exact, frames, pixels);
      check_near(back, clip.exact, norms, pixels, at("dct and back", frames, pixels));
      const std::vector<double> after = pixel_norms(there.values(), frames, pixels);
      for (int64_t p = 0; p < pixels; ++p) {
        check(std::fabs(after[p] - norms[p]) <= kRelative * norms[p], at("dct energy", frames, pixels));
      }
    }
  }
}

template <typename In>
void compare_motion(int64_t frames, int64_t pixels, int64_t drop_low, MotionOutput output) {
  const Clip<In> clip = make_clip<In>(frames, pixels);
  const int64_t rows_out = output == MotionOutput::kEnergy ? 1 : frames;
  std::vector<double> expected(rows_out * pixels);
  const DctMotionOptions options = motion_options(drop_low, output, 2);
  dct_motion_reference(expected.data(), clip.exact.data(), frames, pixels, options);
  std::vector<double> tolerance = pixel_norms(clip.exact, frames, pixels);
  if (output == MotionOutput::kEnergy) {
    for (double& norm : tolerance) norm *= 2 * norm;
  }
  for (Isa isa : detected_isas()) {
    set_isa_for_test(isa);
    Output out(rows_out * pixels);
    dct_motion(out.data(), clip.data(), frames, pixels, options);
    check_near(out, expected, tolerance, pixels,
               at(rows_out == 1 ? "energy" : "motion", frames, pixels) + " drop " + std::to_string(drop_low));
  }
}

void test_motion() {
  for (int64_t frames = 1; frames <= 64; ++frames) {
    for (int64_t pixels : {1, 3, 15, 16, 17, 33}) {
      compare_motion<float>(frames, pixels, 1, MotionOutput::kSignal);
      compare_motion<uint8_t>(frames, pixels, 1, MotionOutput::kEnergy);
    }
    for (int64_t drop_low :
         {int64_t{0}, std::min<int64_t>(2, frames), frames / 3, frames / 2, frames - 1, frames}) {
      compare_motion<float>(frames, 49, drop_low, MotionOutput::kSignal);
      compare_motion<float>(frames, 49, drop_low, MotionOutput::kEnergy);
      compare_motion<uint8_t>(frames, 49, drop_low, MotionOutput::kSignal);
    }
  }
  for (int64_t drop_low : {1, 3, 12}) {
    compare_motion<float>(16, 1000, drop_low, MotionOutput::kSignal);
    compare_motion<uint8_t>(16, 1000, drop_low, MotionOutput::kSignal);
  }
}

void test_still_pixels_have_no_motion() {
  const int64_t pixels = 35;
  for (Isa isa : detected_isas()) {
    set_isa_for_test(isa);
    for (int64_t frames = 1; frames <= 64; ++frames) {
      std::vector<float> clip(frames * pixels);
      for (int64_t i = 0; i < frames * pixels; ++i) clip[i] = 0.1f + 1e6f * static_cast<float>(i % pixels);
      for (int64_t drop_low : {int64_t{1}, (frames + 1) / 2, frames}) {
        for (MotionOutput output : {MotionOutput::kSignal, MotionOutput::kEnergy}) {
          std::vector<float> out(output == MotionOutput::kEnergy ? pixels : frames * pixels, kNan);
          dct_motion(out.data(), clip.data(), frames, pixels, motion_options(drop_low, output, 1));
          check(std::all_of(out.begin(), out.end(), [](float m) { return m == 0; }),
                at("motion of a still clip", frames, pixels));
        }
      }
    }
  }
}

template <typename In>
void compare_difference(int64_t frames, int64_t pixels) {
  const Clip<In> clip = make_clip<In>(frames, pixels);
  std::vector<double> expected((frames - 1) * pixels);
  frame_difference_reference(expected.data(), clip.exact.data(), frames, pixels);
  for (Isa isa : detected_isas()) {
    set_isa_for_test(isa);
    Output out((frames - 1) * pixels);
    frame_difference(out.data(), clip.data(), frames, pixels, 2);
    bool equal = out.intact();
    for (size_t i = 0; i < expected.size(); ++i) equal &= out.data()[i] == static_cast<float>(expected[i]);
    check(equal, at("difference", frames, pixels));
  }
}

void test_difference() {
  for (int64_t frames : {2, 3, 16, 64, 200}) {
    for (int64_t pixels : {1, 3, 15, 16, 17, 1000, 5001}) {
      compare_difference<float>(frames, pixels);
      compare_difference<uint8_t>(frames, pixels);
    }
  }
}

// Calls run(out, threads) with 1 to 8 threads and compares bits.
template <typename Run>
std::vector<float> same_for_all_threads(int64_t size, const std::string& what, const Run& run) {
  std::vector<float> first(size + 1, kNan), other(size + 1, kNan);
  run(first.data() + 1, 1);
  for (int threads = 2; threads <= 8; ++threads) {
    run(other.data() + 1, threads);
    check(std::equal(first.begin() + 1, first.end(), other.begin() + 1),
          what + ": other bits with " + std::to_string(threads) + " threads");
  }
  return {first.begin() + 1, first.end()};
}

// The last columns of a clip, alone, give what they give within it.
void check_alone(const std::vector<float>& x, const std::vector<float>& transformed, int64_t frames) {
  const int64_t pixels = static_cast<int64_t>(x.size()) / frames, few = 37;
  std::vector<float> corner(frames * few), expected(frames * few), out(frames * few, kNan);
  for (int64_t t = 0; t < frames; ++t) {
    std::copy_n(&x[(t + 1) * pixels - few], few, &corner[t * few]);
    std::copy_n(&transformed[(t + 1) * pixels - few], few, &expected[t * few]);
  }
  dct(out.data(), corner.data(), frames, few, dct_options(false, 0, 1));
  check(same_bits(out, expected), at("dct of some columns", frames, pixels));
}

// Sizes small, in caches and beyond them, where the output is streamed; with rows aligned alike and not.
void test_equal_bits() {
  constexpr int64_t kMany = 3 << 20;
  for (Isa isa : detected_isas()) {
    set_isa_for_test(isa);
    for (int64_t frames : {5, 16, 64}) {
      const int64_t large = kMany / frames / 64 * 64;
      for (int64_t pixels : {int64_t{1000}, int64_t{30016}, large, large + 1}) {
        const Clip<float> clip = make_clip<float>(frames, pixels);
        const std::vector<float> x(clip.data(), clip.data() + frames * pixels);
        const auto transformed =
            same_for_all_threads(frames * pixels, at("dct", frames, pixels), [&](float* out, int threads) {
              dct(out, x.data(), frames, pixels, dct_options(false, 0, threads));
            });
        check_alone(x, transformed, frames);
        const auto moved =
            same_for_all_threads(frames * pixels, at("motion", frames, pixels), [&](float* out, int threads) {
              dct_motion(out, x.data(), frames, pixels, motion_options(2, MotionOutput::kSignal, threads));
            });
        const auto differences = same_for_all_threads(
            (frames - 1) * pixels, at("difference", frames, pixels),
            [&](float* out, int threads) { frame_difference(out, x.data(), frames, pixels, threads); });
        check_in_place(x, transformed, at("dct", frames, pixels),
                       [&](float* both) { dct(both, both, frames, pixels, dct_options(false, 0, 3)); });
        check_in_place(x, moved, at("motion", frames, pixels), [&](float* both) {
          dct_motion(both, both, frames, pixels, motion_options(2, MotionOutput::kSignal, 3));
        });
        check_in_place(x, differences, at("difference", frames, pixels),
                       [&](float* both) { frame_difference(both, both, frames, pixels, 3); });
      }
    }
  }
}

void test_bytes_are_their_floats() {
  for (Isa isa : detected_isas()) {
    set_isa_for_test(isa);
    for (int64_t frames : {3, 16, 33}) {
      const int64_t pixels = 1003;
      const Clip<uint8_t> bytes = make_clip<uint8_t>(frames, pixels);
      const std::vector<float> floats(bytes.exact.begin(), bytes.exact.end());
      std::vector<float> a(frames * pixels, kNan), b(frames * pixels, kNan);
      dct(a.data(), bytes.data(), frames, pixels, dct_options(false, 0, 2));
      dct(b.data(), floats.data(), frames, pixels, dct_options(false, 0, 2));
      check(same_bits(a, b), at("dct of bytes", frames, pixels));
      dct_motion(a.data(), bytes.data(), frames, pixels, motion_options(1, MotionOutput::kSignal, 2));
      dct_motion(b.data(), floats.data(), frames, pixels, motion_options(1, MotionOutput::kSignal, 2));
      check(same_bits(a, b), at("motion of bytes", frames, pixels));
    }
  }
}

// What is not finite stays within its pixel.
void test_not_finite() {
  for (Isa isa : detected_isas()) {
    set_isa_for_test(isa);
    for (int64_t frames : {4, 5, 16, 31, 64}) {
      for (float bad : {kNan, std::numeric_limits<float>::infinity()}) {
        const int64_t pixels = 50, place = 19;
        std::vector<float> clip = make_clip<float>(frames, pixels).floats();
        clip[frames / 2 * pixels + place] = bad;
        std::vector<float> all(frames * pixels * 3);
        dct(all.data(), clip.data(), frames, pixels, dct_options(false, 0, 1));
        dct(all.data() + frames * pixels, clip.data(), frames, pixels, dct_options(true, 0, 1));
        dct_motion(all.data() + 2 * frames * pixels, clip.data(), frames, pixels,
                   motion_options(1, MotionOutput::kSignal, 1));
        bool spreads = false;
        for (size_t i = 0; i < all.size(); ++i) {
          spreads |= !std::isfinite(all[i]) && static_cast<int64_t>(i) % pixels != place;
        }
        check(!spreads, at("not finite", frames, pixels));
        check(!std::isfinite(all[place]) && !std::isfinite(all[2 * frames * pixels + place]),
              at("not finite, lost", frames, pixels));
      }
    }
  }
}

void test_arguments() {
  std::vector<float> a(256), b(256);
  const DctOptions plain;
  const DctMotionOptions motion;
  for (int64_t frames : {-1, 0, 65}) {
    check_throws("dct frames", [&] { dct(a.data(), b.data(), frames, 2, plain); });
    check_throws("motion frames", [&] { dct_motion(a.data(), b.data(), frames, 2, motion); });
  }
  for (int64_t pixels : {int64_t{-1}, int64_t{0}, int64_t{1} << 62}) {
    check_throws("dct pixels", [&] { dct(a.data(), b.data(), 4, pixels, plain); });
    check_throws("motion pixels", [&] { dct_motion(a.data(), b.data(), 4, pixels, motion); });
    check_throws("difference pixels", [&] { frame_difference(a.data(), b.data(), 4, pixels); });
  }
  for (int64_t wrong : {-1, 5}) {
    check_throws("keep", [&] { dct(a.data(), b.data(), 4, 2, dct_options(false, wrong, 0)); });
    check_throws("drop_low", [&] {
      dct_motion(a.data(), b.data(), 4, 2, motion_options(wrong, MotionOutput::kSignal, 0));
    });
  }
  check_throws("dct threads", [&] { dct(a.data(), b.data(), 4, 2, dct_options(false, 0, -1)); });
  check_throws("difference frames", [&] { frame_difference(a.data(), b.data(), 1, 2); });
  check_throws("dct null", [&] { dct(nullptr, b.data(), 4, 2, plain); });
  check_throws("difference null", [&] { frame_difference(a.data(), static_cast<float*>(nullptr), 4, 2); });
}

}  // namespace
}  // namespace vssl

int main() {
  using namespace vssl;
  test_arguments();
  test_dct();
  test_dct_is_orthonormal();
  test_motion();
  test_still_pixels_have_no_motion();
  test_difference();
  test_equal_bits();
  test_bytes_are_their_floats();
  test_not_finite();
  return vssl::finish();
}
