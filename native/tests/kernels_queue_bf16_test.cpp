// The queue's loss in bf16 against double precision: at most twice the error that rounding the operands alone
// makes. Prints a line per failure; the last line is "N passed, N failed".
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "../kernels/bf16.h"
#include "../kernels/isa.h"
#include "../kernels/queue.h"
#include "kernels_queue_testing.h"

namespace vssl {
namespace {

double rounded(double x) { return to_bf16(static_cast<float>(x)); }

double dot(const double* a, const double* b, int64_t n) {
  double sum = 0;
  for (int64_t k = 0; k < n; ++k) sum += a[k] * b[k];
  return sum;
}

// The plain bf16 computation: operands of the products rounded to bf16, everything else exact.
double plain_bf16(std::vector<double>& gradient, const QueueCase& c, const QueueInput& in) {
  const int64_t d = c.dim, length = in.queue.length();
  std::vector<double> k = wide(keys_of(in.queue)), ages = wide(ages_of(in.queue)), x(length);
  for (double& value : k) value = rounded(value);
  gradient.assign(in.queries.size(), 0.0);
  double loss = 0;
  for (int64_t i = 0; i < c.rows; ++i) {
    std::vector<double> z(in.queries.begin() + i * d, in.queries.begin() + (i + 1) * d), z16(d);
    std::vector<double> p(in.keys.begin() + i * d, in.keys.begin() + (i + 1) * d);
    const double norm = c.normalize ? std::max(norm_of(z), 1e-12) : 1;
    const double key_norm = c.normalize ? std::max(norm_of(p), 1e-12) : 1;
    for (int64_t e = 0; e < d; ++e) {
      z16[e] = rounded(z[e] /= norm);
      p[e] = rounded(p[e] / key_norm);
    }
    const double positive = dot(z16.data(), p.data(), d) / c.tau;
    double top = positive;
    for (int64_t j = 0; j < length; ++j) {
      const double s = dot(z16.data(), &k[j * d], d) / c.tau, power = std::pow(c.decay, ages[j]);
      x[j] = c.decay_on == DecayOn::kLogit ? power * s : s + std::log(power);
      top = std::max(top, x[j]);
    }
    double sum = std::exp(positive - top);
    for (int64_t j = 0; j < length; ++j) sum += std::exp(x[j] - top);
    const double log_sum = top + std::log(sum);
    loss += (log_sum - positive) / static_cast<double>(c.rows);
    double* g = &gradient[i * d];
    for (int64_t e = 0; e < d; ++e) g[e] = rounded(std::exp(positive - log_sum) - 1) * p[e];
    for (int64_t j = 0; j < length; ++j) {
      const double pull = c.decay_on == DecayOn::kLogit ? std::pow(c.decay, ages[j]) : 1;
      const double weight = rounded(std::exp(x[j] - log_sum) * pull);
      for (int64_t e = 0; e < d; ++e) g[e] += weight * k[j * d + e];
    }
    for (int64_t e = 0; e < d; ++e) g[e] /= static_cast<double>(c.rows) * c.tau;
    const double along = c.normalize ? dot(g, z.data(), d) : 0;
    for (int64_t e = 0; e < d; ++e) g[e] = (g[e] - along * z[e]) / norm;
  }
  return loss;
}

double distance(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> difference(a.size());
  for (size_t i = 0; i < a.size(); ++i) difference[i] = a[i] - b[i];
  return norm_of(difference);
}

double worst = 0;

// Root mean squares over several draws where one has few entries: of a handful, plain rounding is now and
// then exact by luck.
void compare(QueueCase c) {
  c.precision = Precision::kBf16;
  const unsigned draws = c.rows * c.dim < 256 ? 24 : 1;
  double loss_error = 0, plain_loss_error = 0, error = 0, plain_error = 0, loss_tolerance = 0, tolerance = 0;
  for (unsigned draw = 0; draw < draws; ++draw) {
    const QueueInput in(c, draw);
    const QueueExpected exact = expect(c, in);
    std::vector<double> plain;
    std::vector<float> gradient;
    plain_loss_error = std::hypot(plain_loss_error, plain_bf16(plain, c, in) - exact.loss);
    loss_error = std::hypot(loss_error, call(gradient, c, in, 2) - exact.loss);
    loss_tolerance = std::hypot(loss_tolerance, exact.loss_tolerance);
    plain_error = std::hypot(plain_error, distance(plain, exact.gradient));
    error = std::hypot(error, distance(wide(gradient), exact.gradient));
    tolerance = std::hypot(tolerance, exact.gradient_tolerance);
  }
  check(loss_error <= 2 * plain_loss_error + loss_tolerance,
        c.name() + ": loss off by " + std::to_string(loss_error));
  const double ratio = std::max(0.0, error - tolerance) / plain_error;
  check(!(ratio > 2) && std::isfinite(error),
        c.name() + ": gradient off by " + std::to_string(ratio) + " times plain bf16");
  if (std::isfinite(ratio)) worst = worse(worst, ratio);
}

void test_accuracy() {
  for (int64_t rows : {1, 3, 33, 66}) {
    for (int64_t capacity : {1, 2, 63, 65, 300}) {
      for (int64_t dim : {1, 2, 3, 15, 16, 17, 31, 33, 48, 64, 128, 257}) {
        compare({rows, capacity, dim});
        compare({rows, capacity, dim, 0.1, 0.9, DecayOn::kLogit, AgeUnit::kKey});
        compare({rows, capacity, dim, 0.5, 0.9, DecayOn::kWeight, AgeUnit::kEnqueue});
      }
    }
  }
  for (Data data : {Data::kClustered, Data::kDuplicates, Data::kZeroRows, Data::kHugeRows, Data::kTinyRows,
                    Data::kOpposite, Data::kConfident}) {
    for (double tau : {0.02, 0.1}) {
      compare({40, 500, 65, tau, 0.99999, DecayOn::kLogit, AgeUnit::kKey, data});
      compare({40, 130, 16, tau, 0.9, DecayOn::kWeight, AgeUnit::kKey, data});
    }
  }
  compare({40, 300, 65, 0.1, 1, DecayOn::kLogit, AgeUnit::kKey, Data::kNormal, false});
  compare({256, 2000, 128, 0.07, 0.99999});
  compare({33, 700, 512, 0.02, 0.99999});
}

}  // namespace
}  // namespace vssl

int main() {
  using namespace vssl;
  for (Isa isa : detected_isas()) {
    set_isa_for_test(isa);
    test_accuracy();
  }
  std::printf("worst gradient: %.3f times plain bf16\n", worst);
  return vssl::finish();
}
