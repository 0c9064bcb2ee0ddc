// What the suites of native/kernels share: hostile data, expected results, tolerances.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "../kernels/isa.h"
#include "../kernels/kernels.h"
#include "../kernels/reference.h"
#include "testing.h"

namespace vssl {

/// Kinds of rows.
enum class Data { kNormal, kClustered, kDuplicates, kZeroRows, kHugeRows, kTinyRows, kOpposite, kConfident };

inline const char* name_of(Data data) {
  static const char* const kNames[] = {"normal",    "clustered", "duplicates", "zero rows",
                                       "huge rows", "tiny rows", "opposite",   "confident"};
  return kNames[static_cast<int>(data)];
}

inline std::vector<float> make(Data data, int64_t rows, int64_t dim, unsigned seed = 1) {
  std::mt19937 random(seed * 7919 + static_cast<unsigned>(rows * 513 + dim));
  std::normal_distribution<float> normal;
  std::vector<float> x(rows * dim);
  for (float& value : x) value = normal(random);
  const int64_t half = rows / 2;
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t k = 0; k < dim; ++k) {
      float& value = x[i * dim + k];
      const float center = std::sin(static_cast<float>((i % 3 + 1) * (k + 1)));
      if (data == Data::kClustered) value = center + 0.05f * value;
      if (data == Data::kDuplicates && i % 4 != 0) value = x[(i - i % 4) * dim + k];
      if (data == Data::kZeroRows && i % 5 == 3) value = 0;
      if (data == Data::kHugeRows && i % 3 == 0) value *= 1e30f;
      if (data == Data::kTinyRows && i % 3 == 0) value *= 1e-30f;
      if (data == Data::kOpposite) value = (i == 0 ? -1.0f : 1.0f) + 0.001f * value;
      if (data == Data::kConfident && i >= half) value = x[(i - half) * dim + k] + 0.01f * value;
    }
  }
  return x;
}

inline double norm_of(const std::vector<double>& v) {
  double sum = 0;
  for (double value : v) sum += value * value;
  return std::sqrt(sum);
}

// The foundation's tolerance: 1e-5 relative, and what a relative error of 1e-6 in similarities amounts to.
struct Tolerance {
  double loss, gradient, temperature;
};

inline Tolerance tolerance_of(const std::vector<double>& x, int64_t rows, int64_t dim,
                              const NtXentOptions& options, const NtXentResult& exact, double gradient_norm) {
  double factors = 0, largest = 0;
  for (int64_t i = 0; i < rows; ++i) {
    double square = 0;
    for (int64_t k = 0; k < dim; ++k) square += x[i * dim + k] * x[i * dim + k];
    largest = std::max(largest, square);
    const double norm = std::max(std::sqrt(square), 1e-12);
    factors += options.normalize ? 1 / (norm * norm) : square;
  }
  const double tau = options.temperature;
  const double similarity = 1e-6 / tau * (options.normalize ? 1.0 : std::max(1.0, largest));
  return {1e-5 * std::fabs(exact.loss) + similarity,
          1e-5 * gradient_norm + similarity * std::sqrt(factors) / (static_cast<double>(rows) * tau),
          1e-5 * std::fabs(exact.grad_temperature) + 4 * similarity / tau};
}

struct Case {
  int64_t rows, dim;
  double tau = 0.1;
  Data data = Data::kNormal;
  bool normalize = true;
  Precision precision = Precision::kFp32;

  NtXentOptions options(int threads = 1) const {
    NtXentOptions result;
    result.temperature = tau;
    result.normalize = normalize;
    result.precision = precision;
    result.threads = threads;
    return result;
  }

  std::string name() const {
    return std::string(isa_name(selected_isa())) + " rows " + std::to_string(rows) + " dim " +
           std::to_string(dim) + " tau " + std::to_string(tau) + " " + name_of(data) +
           (normalize ? "" : " not normalised") + (precision == Precision::kBf16 ? " bf16" : "");
  }
};

struct Expected {
  std::vector<double> x, gradient;
  NtXentResult result;
};

inline Expected expect(const Case& c, const std::vector<float>& x) {
  Expected expected;
  expected.x.assign(x.begin(), x.end());
  expected.gradient.resize(x.size());
  expected.result =
      nt_xent_reference(expected.gradient.data(), expected.x.data(), c.rows, c.dim, c.options());
  return expected;
}

// One call on poisoned output at an odd address.
inline NtXentResult call(std::vector<float>& gradient, const Case& c, const std::vector<float>& x,
                         int threads) {
  std::vector<float> in(x.size() + 1), out(x.size() + 1, std::numeric_limits<float>::quiet_NaN());
  std::copy(x.begin(), x.end(), in.begin() + 1);
  const NtXentResult result = nt_xent(out.data() + 1, in.data() + 1, c.rows, c.dim, c.options(threads));
  gradient.assign(out.begin() + 1, out.end());
  return result;
}

inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

}  // namespace vssl
