// The first convolution against its formula in double.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "../kernels/clip_conv.h"
#include "bf16_values.h"
#include "testing.h"

namespace vssl {
namespace {

uint16_t upper_half(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return static_cast<uint16_t>(bits >> 16);
}

std::vector<uint16_t> random_bf16(std::mt19937_64& random, int64_t count) {
  std::normal_distribution<float> normal;
  std::vector<uint16_t> out(count);
  for (uint16_t& x : out) x = upper_half(normal(random));
  return out;
}

struct Sum {
  double value, magnitude;
};

// One output, and the sum of the magnitudes of its terms.
Sum twin(const std::vector<uint16_t>& x, const std::vector<uint16_t>& weight, const ClipConv& s, int64_t n,
         int64_t t, int64_t h, int64_t w, int64_t f) {
  Sum sum{0, 0};
  for (int64_t i = 0; i < s.kernel[0]; ++i)
    for (int64_t j = 0; j < s.kernel[1]; ++j)
      for (int64_t k = 0; k < s.kernel[2]; ++k)
        for (int64_t c = 0; c < s.channels; ++c) {
          const int64_t a = t * s.stride[0] + i - s.padding[0], b = h * s.stride[1] + j - s.padding[1],
                        d = w * s.stride[2] + k - s.padding[2];
          if (a < 0 || a >= s.frames || b < 0 || b >= s.height || d < 0 || d >= s.width) continue;
          const double term =
              static_cast<double>(
                  from_bf16(x[(((n * s.frames + a) * s.height + b) * s.width + d) * s.channels + c])) *
              from_bf16(
                  weight[(((f * s.channels + c) * s.kernel[0] + i) * s.kernel[1] + j) * s.kernel[2] + k]);
          sum.value += term;
          sum.magnitude += std::abs(term);
        }
  return sum;
}

void test_shape(const ClipConv& s, const std::string& name) {
  std::mt19937_64 random(s.width * 7 + s.filters);
  const auto x = random_bf16(random, s.clips * s.frames * s.height * s.width * s.channels);
  const auto weight = random_bf16(random, s.filters * s.channels * s.kernel[0] * s.kernel[1] * s.kernel[2]);
  std::vector<float> bias(s.filters);
  for (float& b : bias) b = std::normal_distribution<float>()(random);
  const auto packed = pack_clip_conv(weight.data(), s);
  const int64_t frames = s.output(0), height = s.output(1), width = s.output(2);
  std::vector<uint16_t> out(s.clips * frames * height * width * s.filters, 0x7fc0), again(out);
  clip_conv(out.data(), x.data(), packed.data(), bias.data(), s, 1);
  clip_conv(again.data(), x.data(), packed.data(), bias.data(), s, 3);
  check(out == again, name + ": the same bits from any number of threads");
  double worst = 0;
  int64_t at = 0;
  for (int64_t n = 0; n < s.clips; ++n)
    for (int64_t t = 0; t < frames; ++t)
      for (int64_t h = 0; h < height; ++h)
        for (int64_t w = 0; w < width; ++w)
          for (int64_t f = 0; f < s.filters; ++f, ++at) {
            const Sum sum = twin(x, weight, s, n, t, h, w, f);
            const double plain = sum.value + bias[f], expected = s.relu ? std::max(plain, 0.0) : plain;
            // half a unit of bf16, and fp32 sums
            const double allowed = std::abs(expected) / 256 + (sum.magnitude + std::abs(bias[f])) * 1e-5;
            worst = worse(worst, std::abs(from_bf16(out[at]) - expected) / allowed);
          }
  check_at_most(worst, 1, name + ": worst error in tolerances");
}

void test_shapes() {
  test_shape({2, 5, 20, 31, 3, 64, {3, 7, 7}, {1, 2, 2}, {1, 3, 3}, true}, "stem of R3D");
  test_shape({1, 4, 9, 64, 3, 45, {1, 7, 7}, {1, 2, 2}, {0, 3, 3}, false}, "stem of R(2+1)D");
  test_shape({1, 5, 16, 70, 3, 16, {5, 7, 7}, {2, 2, 2}, {2, 3, 3}, true}, "stem of R3D-50, narrow");
  test_shape({1, 3, 8, 30, 3, 33, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}, false}, "stem of C3D, one filter over");
  // Rows are cut into blocks of several widths.
  for (const int64_t width : {2, 4, 7, 9, 16, 19, 20, 24, 25, 28, 32, 37, 40, 48, 57})
    for (const int64_t filters : {16, 40})
      test_shape({1, 2, 2, width, 3, filters, {2, 3, 3}, {1, 1, 1}, {1, 1, 1}, true},
                 "a row of " + std::to_string(width) + " for " + std::to_string(filters) + " filters");
  test_shape({3, 1, 1, 1, 1, 1, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, true}, "one value");
  test_shape({1, 2, 3, 40, 6, 8, {2, 3, 5}, {2, 1, 3}, {1, 2, 4}, false}, "more channels, wide padding");
}

void test_arguments() {
  const ClipConv good{1, 2, 8, 8, 3, 4, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}, false};
  std::vector<uint16_t> x(2 * 8 * 8 * 4), weight(4 * 81);
  std::vector<float> bias(4);
  const auto packed = pack_clip_conv(weight.data(), good);
  const auto refused = [&](const std::string& part, auto change) {
    ClipConv s = good;
    change(s);
    check_throws(kInvalidArgument, part,
                 [&] { clip_conv(x.data(), x.data(), packed.data(), bias.data(), s, 1); });
  };
  refused("clips", [](ClipConv& s) { s.clips = 0; });
  refused("channels", [](ClipConv& s) { s.channels = 65; });
  refused("stride", [](ClipConv& s) { s.stride[1] = 0; });
  refused("padding", [](ClipConv& s) { s.padding[0] = 3; });
  refused("size", [](ClipConv& s) {
    s.height = 0;
    s.frames = 2;
    s.height = 1;
    s.padding[1] = 0;
  });
  check_throws(kInvalidArgument, "memory",
               [&] { clip_conv(nullptr, x.data(), packed.data(), bias.data(), good, 1); });
}

}  // namespace
}  // namespace vssl

int main() {
  using namespace vssl;
  if (!has_clip_conv()) {
    std::printf("this CPU does not multiply bf16\n");
    return finish(6);
  }
  test_shapes();
  test_arguments();
  return finish();
}
