// bf16 NT-Xent against double precision: at most twice the error that rounding the operands alone makes.
// Prints a line per failure; the last line is "N passed, N failed".
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "../kernels/isa.h"
#include "../kernels/kernels.h"
#include "kernels_plain_bf16.h"
#include "kernels_testing.h"

namespace vssl {
namespace {

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
  return vssl::finish();
}
