// Winograd convolutions against their formula in double: once with the roundings to bf16 that they make,
// closely, and once as the convolution that they stand for.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "../kernels/winograd.h"
#include "bf16_values.h"
#include "testing.h"

namespace vssl {
namespace {

// The nearest, ties to even.
uint16_t to_bf16_bits(double x) {
  const auto nearest = static_cast<float>(x);
  uint32_t bits;
  std::memcpy(&bits, &nearest, sizeof bits);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

double rounded(double x) { return from_bf16(to_bf16_bits(x)); }

// Of few bits and like size, so that sums of 16 are exact in fp32.
std::vector<uint16_t> random_bf16(std::mt19937_64& random, int64_t count) {
  std::normal_distribution<double> normal;
  std::vector<uint16_t> out(count);
  for (uint16_t& x : out) x = to_bf16_bits(std::round(normal(random) * 64) / 64);
  return out;
}

struct Inputs {
  std::vector<uint16_t> x, residual;
  std::vector<float> weight, bias;
};

int64_t outputs_of(const WinogradConv& s) {
  return s.clips * s.output(0) * s.output(1) * s.output(2) * s.filters;
}

Inputs inputs_of(const WinogradConv& s) {
  std::mt19937_64 random(s.width * 7 + s.filters);
  std::normal_distribution<float> normal;
  Inputs in;
  in.x = random_bf16(random, s.clips * s.frames * s.height * s.width * s.channels);
  in.residual = random_bf16(random, outputs_of(s));
  in.weight.resize(s.filters * s.channels * s.taps * 9);
  for (float& w : in.weight) w = std::round(normal(random) * 64) / 64;
  in.bias.resize(s.filters);
  for (float& b : in.bias) b = normal(random);
  return in;
}

std::vector<uint32_t> packed_of(const WinogradConv& s, const Inputs& in) {
  std::vector<uint32_t> packed(packed_winograd_size(s), 0x7fc07fc0);
  pack_winograd(packed.data(), in.weight.data(), s, false);
  return packed;
}

std::vector<uint16_t> convolved(const WinogradConv& s, const Inputs& in, bool residual, int threads) {
  const auto packed = packed_of(s, in);
  std::vector<uint16_t> out(outputs_of(s), 0x7fc0);
  winograd_conv(out.data(), in.x.data(), packed.data(), in.bias.data(),
                residual ? in.residual.data() : nullptr, s, threads);
  return out;
}

// One channel's pixel; 0 outside.
double pixel(const WinogradConv& s, const Inputs& in, int64_t n, int64_t t, int64_t h, int64_t w, int64_t c) {
  if (t < 0 || t >= s.frames || h < 0 || h >= s.height || w < 0 || w >= s.width) return 0;
  return from_bf16(in.x[(((n * s.frames + t) * s.height + h) * s.width + w) * s.channels + c]);
}

double weight_at(const WinogradConv& s, const Inputs& in, int64_t f, int64_t c, int64_t i, int64_t j,
                 int64_t k) {
  return in.weight[(((f * s.channels + c) * s.taps + i) * 3 + j) * 3 + k];
}

struct Sum {
  double value = 0, magnitude = 0;  // of the terms
};

constexpr double kB[4][4] = {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}};
constexpr double kG[4][3] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};
constexpr double kA[2][4] = {{1, 1, 1, 0}, {0, 1, -1, -1}};

using Products = std::array<std::array<double, 4>, 4>;

// B' d B of the square of outputs that begins at (h, w), rounded.
Products factors(const WinogradConv& s, const Inputs& in, int64_t n, int64_t t, int64_t h, int64_t w,
                 int64_t c) {
  Products out{};
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 4; ++j) {
      double sum = 0;
      for (int a = 0; a < 4; ++a)
        for (int b = 0; b < 4; ++b)
          sum += kB[i][a] * kB[j][b] * pixel(s, in, n, t, h + a - s.padding[1], w + b - s.padding[2], c);
      out[i][j] = rounded(sum);
    }
  return out;
}

// G g G', rounded.
Products weights(const WinogradConv& s, const Inputs& in, int64_t f, int64_t c, int64_t tap) {
  Products out{};
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 4; ++j) {
      double sum = 0;
      for (int a = 0; a < 3; ++a)
        for (int b = 0; b < 3; ++b) sum += kG[i][a] * kG[j][b] * weight_at(s, in, f, c, tap, a, b);
      out[i][j] = rounded(sum);
    }
  return out;
}

// The four outputs of a square, with the kernel's roundings.
std::array<Sum, 4> square(const WinogradConv& s, const Inputs& in, int64_t n, int64_t t, int64_t h, int64_t w,
                          int64_t f) {
  std::array<Sum, 4> out;
  for (int64_t tap = 0; tap < s.taps; ++tap)
    for (int64_t c = 0; c < s.channels; ++c) {
      const Products v = factors(s, in, n, t + tap - s.padding[0], h, w, c), u = weights(s, in, f, c, tap);
      for (int y = 0; y < 2; ++y)
        for (int x = 0; x < 2; ++x)
          for (int i = 0; i < 4; ++i)
            for (int j = 0; j < 4; ++j) {
              const double term = kA[y][i] * kA[x][j] * u[i][j] * v[i][j];
              out[2 * y + x].value += term;
              out[2 * y + x].magnitude += std::abs(term);
            }
    }
  return out;
}

double plain(const WinogradConv& s, const Inputs& in, int64_t n, int64_t t, int64_t h, int64_t w, int64_t f) {
  double sum = 0;
  for (int64_t i = 0; i < s.taps; ++i)
    for (int64_t j = 0; j < 3; ++j)
      for (int64_t k = 0; k < 3; ++k)
        for (int64_t c = 0; c < s.channels; ++c)
          sum += weight_at(s, in, f, c, i, j, k) *
                 pixel(s, in, n, t + i - s.padding[0], h + j - s.padding[1], w + k - s.padding[2], c);
  return sum;
}

void test_shape(const WinogradConv& s, const std::string& name, bool residual) {
  const Inputs in = inputs_of(s);
  const auto out = convolved(s, in, residual, 1);
  check(out == convolved(s, in, residual, 3), name + ": the same bits from any number of threads");
  const auto ended = [&](double sum, int64_t at) {
    const double y = sum + in.bias[at % s.filters] + (residual ? from_bf16(in.residual[at]) : 0.0);
    return s.relu ? std::max(y, 0.0) : y;
  };
  double worst = 0, off = 0, all = 0;
  for (int64_t n = 0; n < s.clips; ++n)
    for (int64_t t = 0; t < s.output(0); ++t)
      for (int64_t h = 0; h < s.output(1); h += 2)
        for (int64_t w = 0; w < s.output(2); w += 2)
          for (int64_t f = 0; f < s.filters; ++f) {
            const auto sums = square(s, in, n, t, h, w, f);
            for (int64_t i = 0; i < 4; ++i) {
              const int64_t row = h + i / 2, column = w + i % 2;
              if (row >= s.output(1) || column >= s.output(2)) continue;
              const int64_t at =
                  (((n * s.output(0) + t) * s.output(1) + row) * s.output(2) + column) * s.filters + f;
              const double got = from_bf16(out[at]), expected = ended(sums[i].value, at);
              // half a unit of bf16, and fp32 sums
              const double allowed = std::abs(expected) / 256 + (sums[i].magnitude + 3) * 1e-5;
              worst = worse(worst, std::abs(got - expected) / allowed);
              const double exact = ended(plain(s, in, n, t, row, column, f), at);
              off += (got - exact) * (got - exact);
              all += exact * exact;
            }
          }
  check_at_most(worst, 1, name + ": worst error in tolerances");
  check_at_most(std::sqrt(off / all), 0.006, name + ": distance from the convolution, relative to its norm");
}

void test_shapes() {
  test_shape({2, 5, 8, 12, 32, 64, 3, {1, 1, 1}, true}, "a block of R3D", true);
  test_shape({1, 2, 7, 7, 48, 33, 3, {1, 1, 1}, true}, "odd pictures, one filter over", true);
  test_shape({1, 3, 6, 9, 33, 40, 1, {0, 1, 1}, false}, "R(2+1)D, one channel over", false);
  test_shape({2, 4, 5, 6, 1, 1, 3, {1, 1, 1}, false}, "one channel, one filter", false);
  test_shape({1, 6, 4, 4, 16, 16, 5, {2, 1, 1}, true}, "five frames", true);
  test_shape({1, 1, 3, 3, 16, 16, 3, {2, 0, 0}, false}, "wide padding in time, none of pixels", false);
  test_shape({1, 2, 2, 2, 16, 20, 3, {1, 2, 2}, true}, "wide padding of pixels", false);
  test_shape({1, 1, 1, 1, 16, 16, 1, {0, 1, 1}, true}, "one pixel", true);
  // Rows are cut into blocks of several widths.
  for (const int64_t width : {2, 7, 9, 16, 20, 26, 31, 34})
    for (const int64_t filters : {16, 32})
      test_shape({1, 2, 2, width, 16, filters, 2, {0, 1, 1}, true},
                 "a row of " + std::to_string(width) + " for " + std::to_string(filters) + " filters", false);
}

// A g A' of the square of outputs that begins at (h, w), rounded.
Products spread(const WinogradConv& s, const std::vector<uint16_t>& output, int64_t n, int64_t t, int64_t h,
                int64_t w, int64_t f) {
  Products out{};
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 4; ++j) {
      double sum = 0;
      for (int a = 0; a < 2; ++a)
        for (int b = 0; b < 2; ++b) {
          if (h + a >= s.output(1) || w + b >= s.output(2)) continue;
          const int64_t at = ((n * s.output(0) + t) * s.output(1) + h + a) * s.output(2) + w + b;
          sum += kA[a][i] * kA[b][j] * from_bf16(output[at * s.filters + f]);
        }
      out[i][j] = rounded(sum);
    }
  return out;
}

// The gradient of a filter's weights of a channel and a tap, with the kernel's roundings.
std::array<Sum, 9> weight_gradient(const WinogradConv& s, const Inputs& in, int64_t f, int64_t c,
                                   int64_t tap) {
  std::array<Sum, 9> out;
  for (int64_t n = 0; n < s.clips; ++n)
    for (int64_t t = 0; t < s.output(0); ++t)
      for (int64_t h = 0; h < s.output(1); h += 2)
        for (int64_t w = 0; w < s.output(2); w += 2) {
          const Products v = factors(s, in, n, t + tap - s.padding[0], h, w, c);
          const Products q = spread(s, in.residual, n, t, h, w, f);
          for (int a = 0; a < 3; ++a)
            for (int b = 0; b < 3; ++b)
              for (int i = 0; i < 4; ++i)
                for (int j = 0; j < 4; ++j) {
                  const double term = kG[i][a] * kG[j][b] * q[i][j] * v[i][j];
                  out[3 * a + b].value += term;
                  out[3 * a + b].magnitude += std::abs(term);
                }
        }
  return out;
}

double plain_gradient(const WinogradConv& s, const Inputs& in, int64_t f, int64_t c, int64_t tap, int64_t j,
                      int64_t k) {
  double sum = 0;
  for (int64_t n = 0; n < s.clips; ++n)
    for (int64_t t = 0; t < s.output(0); ++t)
      for (int64_t h = 0; h < s.output(1); ++h)
        for (int64_t w = 0; w < s.output(2); ++w) {
          const int64_t at = ((n * s.output(0) + t) * s.output(1) + h) * s.output(2) + w;
          sum += from_bf16(in.residual[at * s.filters + f]) *
                 pixel(s, in, n, t + tap - s.padding[0], h + j - s.padding[1], w + k - s.padding[2], c);
        }
  return sum;
}

// The residual stands for the gradient of the output.
void test_weight_gradient(const WinogradConv& s, const std::string& name) {
  const Inputs in = inputs_of(s);
  const std::string what = name + ", weight gradient";
  std::vector<float> got(in.weight.size(), NAN), again(got);
  winograd_weight_gradient(got.data(), in.x.data(), in.residual.data(), s, 1);
  winograd_weight_gradient(again.data(), in.x.data(), in.residual.data(), s, 3);
  check(got == again, what + ": the same bits from any number of threads");
  double worst = 0, off = 0, all = 0;
  for (int64_t f = 0; f < s.filters; ++f)
    for (int64_t c = 0; c < s.channels; ++c)
      for (int64_t tap = 0; tap < s.taps; ++tap) {
        const auto sums = weight_gradient(s, in, f, c, tap);
        for (int64_t i = 0; i < 9; ++i) {
          const double value = got[((f * s.channels + c) * s.taps + tap) * 9 + i];
          worst = worse(worst, std::abs(value - sums[i].value) / (sums[i].magnitude * 1e-5 + 1e-30));
          const double exact = plain_gradient(s, in, f, c, tap, i / 3, i % 3);
          off += (value - exact) * (value - exact);
          all += exact * exact;
        }
      }
  check_at_most(worst, 1, what + ": worst error in tolerances");
  check_at_most(std::sqrt(off / all), 0.006, what + ": distance from the formula, relative to its norm");
}

void test_weight_gradients() {
  test_weight_gradient({2, 5, 8, 12, 32, 64, 3, {1, 1, 1}, true}, "a block of R3D");
  test_weight_gradient({1, 2, 7, 7, 48, 33, 3, {1, 1, 1}, true}, "odd pictures, one filter over");
  test_weight_gradient({3, 3, 6, 10, 33, 40, 1, {0, 1, 1}, false}, "R(2+1)D, one channel over");
  test_weight_gradient({2, 4, 5, 6, 1, 1, 3, {1, 1, 1}, false}, "one channel, one filter");
  test_weight_gradient({1, 19, 4, 4, 16, 16, 5, {2, 1, 1}, true}, "five taps, many frames");
  test_weight_gradient({1, 1, 3, 3, 16, 16, 3, {2, 0, 0}, false}, "wide padding in time, none of pixels");
  test_weight_gradient({1, 2, 2, 2, 16, 20, 3, {1, 2, 2}, true}, "wide padding of pixels");
  test_weight_gradient({5, 3, 6, 6, 160, 96, 3, {1, 1, 1}, false}, "many clips at once");
  test_weight_gradient({1, 3, 32, 34, 16, 16, 3, {1, 1, 1}, false}, "large pictures");
}

// From the gradient of an output to that of its input: what it gives for weights is what the convolution with
// those weights, seen from the other end and with channels for filters, gives.
void test_gradient() {
  const WinogradConv s{1, 3, 6, 5, 20, 33, 3, {1, 1, 1}, false};
  const Inputs in = inputs_of(s);
  Inputs other = in;
  for (int64_t f = 0; f < s.filters; ++f)
    for (int64_t c = 0; c < s.channels; ++c)
      for (int64_t i = 0; i < 27; ++i)
        other.weight[(c * s.filters + f) * 27 + 26 - i] = in.weight[(f * s.channels + c) * 27 + i];
  std::vector<uint32_t> packed(packed_winograd_size(s));
  pack_winograd(packed.data(), other.weight.data(), s, true);
  check(packed == packed_of(s, in), "weights for the gradient are those of the mirrored convolution");
}

// Weights that fit no cache are met by many rows at once, of several clips and frames.
void test_units() {
  const WinogradConv s{5, 3, 6, 6, 160, 96, 3, {1, 1, 1}, false};
  const Inputs in = inputs_of(s);
  const auto all = convolved(s, in, true, 1);
  check(all == convolved(s, in, true, 3), "many rows: the same bits from any number of threads");
  const int64_t clip = s.frames * s.height * s.width;
  bool equal = true;
  for (int64_t n = 0; n < s.clips; ++n) {
    WinogradConv one = s;
    one.clips = 1;
    Inputs its = in;
    its.x.assign(in.x.begin() + n * clip * s.channels, in.x.begin() + (n + 1) * clip * s.channels);
    its.residual.assign(in.residual.begin() + n * clip * s.filters,
                        in.residual.begin() + (n + 1) * clip * s.filters);
    const auto alone = convolved(one, its, true, 2);
    equal = equal && std::equal(alone.begin(), alone.end(), all.begin() + n * clip * s.filters);
  }
  check(equal, "many rows: the same bits for a clip alone as among others");
}

void test_not_a_number() {
  const WinogradConv s{1, 3, 8, 8, 16, 16, 3, {1, 1, 1}, true};
  Inputs in = inputs_of(s);
  in.x[((1 * 8 + 4) * 8 + 4) * 16] = 0x7fc0;
  const auto out = convolved(s, in, false, 1);
  int64_t seen = 0, far = 0;
  for (int64_t h = 0; h < 8; ++h)
    for (int64_t w = 0; w < 8; ++w) {
      const bool lost = std::isnan(from_bf16(out[((1 * 8 + h) * 8 + w) * 16]));
      if (std::abs(h - 4) <= 1 && std::abs(w - 4) <= 1) seen += lost ? 1 : 0;
      if (std::abs(h - 4) > 3 || std::abs(w - 4) > 3) far += lost ? 1 : 0;
    }
  check(seen == 9, "NaN reaches every output that sees it");
  check(far == 0, "NaN stays in the squares around it");
  Inputs broken = inputs_of(s);
  broken.weight[0] = std::numeric_limits<float>::quiet_NaN();
  check(std::isnan(from_bf16(convolved(s, broken, false, 1)[((1 * 8 + 1) * 8 + 1) * 16])),
        "NaN of a weight reaches the output");
}

void test_arguments() {
  const WinogradConv good{1, 2, 8, 8, 16, 16, 3, {1, 1, 1}, false};
  const Inputs in = inputs_of(good);
  std::vector<uint16_t> out(outputs_of(good));
  const auto packed = packed_of(good, in);
  const auto refused = [&](const std::string& part, auto change) {
    WinogradConv s = good;
    change(s);
    check_throws(kInvalidArgument, part, [&] {
      winograd_conv(out.data(), in.x.data(), packed.data(), in.bias.data(), nullptr, s, 1);
    });
  };
  refused("clips", [](WinogradConv& s) { s.clips = 0; });
  refused("channels", [](WinogradConv& s) { s.channels = 0; });
  refused("taps", [](WinogradConv& s) { s.taps = 17; });
  refused("padding", [](WinogradConv& s) { s.padding[1] = 3; });
  refused("size", [](WinogradConv& s) {
    s.height = 2;
    s.padding[1] = 0;
  });
  check_throws(kInvalidArgument, "memory",
               [&] { winograd_conv(nullptr, in.x.data(), packed.data(), in.bias.data(), nullptr, good, 1); });
  check_throws(kInvalidArgument, "threads", [&] {
    winograd_conv(out.data(), in.x.data(), packed.data(), in.bias.data(), nullptr, good, -1);
  });
}

}  // namespace
}  // namespace vssl

int main() {
  using namespace vssl;
  if (!has_winograd()) {
    std::printf("this CPU does not multiply bf16, or has a matrix unit\n");
    return finish(6);
  }
  test_shapes();
  test_weight_gradients();
  test_gradient();
  test_units();
  test_not_a_number();
  test_arguments();
  return finish();
}
