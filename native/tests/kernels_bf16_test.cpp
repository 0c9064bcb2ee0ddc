// bf16 NT-Xent against double precision: at most twice the error that rounding the operands alone makes.
// Prints a line per failure; the last line is "N passed, N failed".
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "../kernels/isa.h"
#include "../kernels/kernels.h"
#include "kernels_testing.h"

namespace vssl {
namespace {

// To nearest, ties to even.
double to_bf16(double x) {
  const float f = static_cast<float>(x);
  uint32_t bits;
  std::memcpy(&bits, &f, sizeof bits);
  bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u;
  float rounded;
  std::memcpy(&rounded, &bits, sizeof rounded);
  return rounded;
}

double dot(const double* a, const double* b, int64_t n) {
  double sum = 0;
  for (int64_t k = 0; k < n; ++k) sum += a[k] * b[k];
  return sum;
}

// The plain bf16 computation: operands of the three products rounded to bf16, everything else exact.
struct Plain {
  double loss = 0;
  std::vector<double> gradient;
};

Plain plain_bf16(const Case& c, const std::vector<double>& x) {
  const int64_t n = c.rows, d = c.dim;
  std::vector<double> z(x), z16(x.size()), norms(n, 1.0), log_sums(n), s(n * n);
  for (int64_t i = 0; i < n; ++i) {
    if (c.normalize) norms[i] = std::max(std::sqrt(dot(&x[i * d], &x[i * d], d)), 1e-12);
    for (int64_t k = 0; k < d; ++k) z16[i * d + k] = to_bf16(z[i * d + k] /= norms[i]);
  }
  Plain plain;
  for (int64_t i = 0; i < n; ++i) {
    double top = -INFINITY, sum = 0;
    for (int64_t j = 0; j < n; ++j) {
      s[i * n + j] = dot(&z16[i * d], &z16[j * d], d) / c.tau;
      if (j != i) top = std::max(top, s[i * n + j]);
    }
    for (int64_t j = 0; j < n; ++j) sum += j == i ? 0 : std::exp(s[i * n + j] - top);
    log_sums[i] = top + std::log(sum);
    plain.loss += (log_sums[i] - s[i * n + (i + n / 2) % n]) / static_cast<double>(n);
  }
  plain.gradient.assign(x.size(), 0.0);
  for (int64_t i = 0; i < n; ++i) {
    double* g = &plain.gradient[i * d];
    for (int64_t j = 0; j < n; ++j) {
      if (j == i) continue;
      const double pair = j == (i + n / 2) % n ? 2 : 0;
      const double h = std::exp(s[i * n + j] - log_sums[i]) + std::exp(s[i * n + j] - log_sums[j]) - pair;
      for (int64_t k = 0; k < d; ++k) g[k] += to_bf16(h) * z16[j * d + k] / (static_cast<double>(n) * c.tau);
    }
    const double along = c.normalize ? dot(g, &z[i * d], d) : 0;
    for (int64_t k = 0; k < d; ++k) g[k] = (g[k] - along * z[i * d + k]) / norms[i];
  }
  return plain;
}

double distance(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> difference(a.size());
  for (size_t i = 0; i < a.size(); ++i) difference[i] = a[i] - b[i];
  return norm_of(difference);
}

void compare(const Case& c) {
  const std::vector<float> x = make(c.data, c.rows, c.dim);
  const Expected exact = expect(c, x);
  const Plain plain = plain_bf16(c, exact.x);
  const Tolerance fp32 =
      tolerance_of(exact.x, c.rows, c.dim, c.options(), exact.result, norm_of(exact.gradient));
  std::vector<float> gradient;
  const NtXentResult result = call(gradient, c, x, 2);
  const std::vector<double> wide(gradient.begin(), gradient.end());
  const double off = std::fabs(result.loss - exact.result.loss);
  check(off <= 2 * std::fabs(plain.loss - exact.result.loss) + fp32.loss,
        c.name() + ": loss off by " + std::to_string(off));
  const double ratio =
      (distance(wide, exact.gradient) - fp32.gradient) / distance(plain.gradient, exact.gradient);
  check(!(ratio > 2) && std::isfinite(norm_of(wide)),
        c.name() + ": gradient off by " + std::to_string(ratio) + " times plain bf16");
}

void test_accuracy() {
  for (int64_t rows : {4, 6, 30, 34, 66, 126, 130, 258}) {
    for (int64_t dim : {1, 2, 3, 31, 33, 64, 127, 128, 257}) {
      for (double tau : {0.05, 0.1, 0.5}) {
        for (Data data : {Data::kNormal, Data::kClustered, Data::kConfident}) {
          compare({rows, dim, tau, data, true, Precision::kBf16});
        }
      }
    }
  }
  for (Data data : {Data::kDuplicates, Data::kZeroRows, Data::kHugeRows, Data::kTinyRows, Data::kOpposite}) {
    for (double tau : {0.02, 0.1}) {
      compare({130, 65, tau, data, true, Precision::kBf16});
      compare({66, 16, tau, data, true, Precision::kBf16});
    }
  }
  compare({130, 20, 4.0, Data::kNormal, false, Precision::kBf16});
  compare({1026, 33, 0.1, Data::kNormal, true, Precision::kBf16});
  compare({600, 512, 0.1, Data::kNormal, true, Precision::kBf16});
}

void test_equal_bits() {
  for (const Case& c : {Case{258, 128, 0.1, Data::kNormal, true, Precision::kBf16},
                        Case{1030, 65, 0.02, Data::kOpposite, true, Precision::kBf16},
                        Case{1538, 256, 0.1, Data::kClustered, true, Precision::kBf16}}) {
    const std::vector<float> x = make(c.data, c.rows, c.dim);
    std::vector<float> first, other;
    const double loss = call(first, c, x, 1).loss;
    for (int threads = 2; threads <= 8; ++threads) {
      check(call(other, c, x, threads).loss == loss && same_bits(first, other),
            c.name() + ": other bits with " + std::to_string(threads) + " threads");
    }
  }
}

void test_not_finite() {
  const Case c{66, 17, 0.1, Data::kNormal, true, Precision::kBf16};
  std::vector<float> x = make(c.data, c.rows, c.dim), gradient;
  x[5] = NAN;
  check(std::isnan(call(gradient, c, x, 2).loss) && std::isnan(gradient[0]), c.name() + ": NaN is not NaN");
}

}  // namespace
}  // namespace vssl

int main() {
  using namespace vssl;
  for (Isa isa : detected_isas()) {
    set_isa_for_test(isa);
    test_accuracy();
    test_equal_bits();
    test_not_finite();
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
