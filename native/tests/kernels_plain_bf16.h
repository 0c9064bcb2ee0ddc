// NT-Xent with operands rounded to bf16 and everything else in double: what a bf16 kernel is measured by.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "../kernels/bf16.h"
#include "kernels_testing.h"

namespace vssl {

inline double rounded_to_bf16(double x) { return to_bf16(static_cast<float>(x)); }

inline double dot(const double* a, const double* b, int64_t n) {
  double sum = 0;
  for (int64_t k = 0; k < n; ++k) sum += a[k] * b[k];
  return sum;
}

// The plain bf16 computation: operands of the three products rounded to bf16, everything else exact.
struct Plain {
  double loss = 0;
  std::vector<double> gradient;
};

inline Plain plain_bf16(const Case& c, const std::vector<double>& x) {
  const int64_t n = c.rows, d = c.dim;
  std::vector<double> z(x), z16(x.size()), norms(n, 1.0), log_sums(n), s(n * n);
  for (int64_t i = 0; i < n; ++i) {
    if (c.normalize) norms[i] = std::max(std::sqrt(dot(&x[i * d], &x[i * d], d)), 1e-12);
    for (int64_t k = 0; k < d; ++k) z16[i * d + k] = rounded_to_bf16(z[i * d + k] /= norms[i]);
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
      for (int64_t k = 0; k < d; ++k)
        g[k] += rounded_to_bf16(h) * z16[j * d + k] / (static_cast<double>(n) * c.tau);
    }
    const double along = c.normalize ? dot(g, &z[i * d], d) : 0;
    for (int64_t k = 0; k < d; ++k) g[k] = (g[k] - along * z[i * d + k]) / norms[i];
  }
  return plain;
}

inline double distance(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> difference(a.size());
  for (size_t i = 0; i < a.size(); ++i) difference[i] = a[i] - b[i];
  return norm_of(difference);
}

}  // namespace vssl
