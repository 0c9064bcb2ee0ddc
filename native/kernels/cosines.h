// Cosines of rational angles: at compile time for the unrolled transforms, in a table for all others.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

namespace vssl {

constexpr double kPi = 3.14159265358979323846;

/// cos(pi numerator / denominator), numerator >= 0: reduced to the first quadrant in integers, then a Taylor
/// series, which has converged to double precision there.
constexpr double cos_of(int64_t numerator, int64_t denominator) {
  int64_t n = numerator % (2 * denominator);
  if (n > denominator) n = 2 * denominator - n;
  const bool negative = 2 * n > denominator;
  if (negative) n = denominator - n;
  if (2 * n == denominator) return 0;
  const double x = kPi * static_cast<double>(n) / static_cast<double>(denominator);
  double term = 1, sum = 1;
  for (int i = 1; i <= 12; ++i) {
    term *= -x * x / ((2 * i - 1) * (2 * i));
    sum += term;
  }
  return negative ? -sum : sum;
}

/// Square root by Newton's method, x >= 0; enough steps for x in 1e-3..1e3.
constexpr double root_of(double x) {
  double root = 1;
  for (int i = 0; i < 20; ++i) root = (root + x / root) / 2;
  return root;
}

/// The orthonormal cosines of `frames` times: X_k = scale(k) sum_t x_t cosine(t, k).
class TemporalBasis {
 public:
  explicit TemporalBasis(int64_t frames)
      : period_(4 * frames),
        mean_(std::sqrt(1.0 / static_cast<double>(frames))),
        other_(std::sqrt(2.0 / static_cast<double>(frames))) {
    table_.reserve(period_);
    for (int64_t i = 0; i < period_; ++i) table_.push_back(cos_of(i, 2 * frames));
  }

  double scale(int64_t k) const { return k == 0 ? mean_ : other_; }
  double cosine(int64_t t, int64_t k) const { return table_[(2 * t + 1) * k % period_]; }

 private:
  const int64_t period_;
  const double mean_, other_;
  std::vector<double> table_;
};

}  // namespace vssl
