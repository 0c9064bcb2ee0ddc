// Tests of EMA and row normalisation against the double-precision twins, on every ISA path. Prints a line per
// failure; the last line is "N passed, N failed".
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels_spans_testing.h"
#include "kernels_testing.h"

namespace vssl {
namespace {

// `sizes` of the spans, each at an address of its own.
void compare_ema(const std::vector<int64_t>& sizes, double momentum) {
  int64_t room = 0;
  for (int64_t size : sizes) room += size + 3;
  const std::vector<float> before = make(Data::kNormal, 1, room, 5), source = make(Data::kNormal, 1, room, 6);
  std::vector<double> expected(before.begin(), before.end());
  const std::vector<double> exact_source(source.begin(), source.end());
  std::vector<float> first;
  for (int threads = 1; threads <= 8; ++threads) {
    std::vector<float> target = before;
    std::vector<EmaSpan> spans;
    int64_t begin = 1;
    for (int64_t size : sizes) {
      spans.push_back({target.data() + begin, source.data() + begin, size});
      if (threads == 1) ema_update_reference(&expected[begin], &exact_source[begin], size, momentum);
      begin += size + 3;
    }
    ema_update(spans.data(), static_cast<int64_t>(spans.size()), momentum, threads);
    if (threads == 1) first = target;
    check(same_bits(first, target), std::string(isa_name(selected_isa())) + " ema: other bits with " +
                                        std::to_string(threads) + " threads");
  }
  double worst = 0;
  for (int64_t i = 0; i < room; ++i) {
    const double scale = std::fabs(before[i]) + std::fabs(source[i]);
    worst = worse(worst, std::fabs(first[i] - expected[i]) / scale);
  }
  check(worst <= kRounding, std::string(isa_name(selected_isa())) + " ema m " + std::to_string(momentum) +
                                " off by " + std::to_string(worst / kRounding) + " tolerances");
}

void test_ema() {
  for (Isa isa : detected_isas()) {
    set_isa_for_test(isa);
    for (double momentum : {0.0, 0.1, 0.5, 0.9, 0.999, 0.999999, 1.0}) {
      compare_ema({1}, momentum);
      compare_ema({0, 3, 0, 15, 16, 17, 1, 0}, momentum);
      compare_ema({1000, 100000, 7, 40000}, momentum);
    }
    ema_update(nullptr, 0, 0.5);
    const std::vector<float> fixed = make(Data::kNormal, 1, 1001, 7), other = make(Data::kNormal, 1, 1001, 8);
    for (double momentum : {0.0, 0.3, 0.7, 0.996, 1.0}) {
      std::vector<float> target = fixed;
      const EmaSpan same{target.data(), fixed.data(), 1001}, own{target.data(), target.data(), 1001};
      ema_update(&same, 1, momentum);
      ema_update(&own, 1, momentum);
      check(same_bits(target, fixed), "ema moves what is equal");
      const EmaSpan span{target.data(), other.data(), 1001};
      ema_update(&span, 1, momentum);
      if (momentum == 0) check(same_bits(target, other), "ema with m = 0 does not copy");
      if (momentum == 1) check(same_bits(target, fixed), "ema with m = 1 changes the target");
    }
  }
}

void compare_normalize(int64_t rows, int64_t dim, Data data) {
  const std::vector<float> x = make(data, rows, dim), g = make(Data::kNormal, rows, dim, 2);
  const std::vector<double> exact_x(x.begin(), x.end()), exact_g(g.begin(), g.end());
  std::vector<double> z(x.size()), gradient(x.size());
  normalize_rows_reference(z.data(), exact_x.data(), rows, dim);
  normalize_rows_backward_reference(gradient.data(), exact_g.data(), exact_x.data(), rows, dim);
  for (Isa isa : detected_isas()) {
    set_isa_for_test(isa);
    std::vector<float> fast_z(x.size()), fast_gradient(x.size()), other = x;
    normalize_rows(fast_z.data(), x.data(), rows, dim, 1);
    normalize_rows_backward(fast_gradient.data(), g.data(), x.data(), rows, dim, 1);
    bool near = true;
    for (int64_t i = 0; i < rows * dim; ++i) {
      double square = 0, along = 0;
      for (int64_t k = i / dim * dim; k < (i / dim + 1) * dim; ++k) {
        square += exact_x[k] * exact_x[k];
        along += exact_g[k] * exact_g[k];
      }
      const double size = std::sqrt(along) / std::max(std::sqrt(square), 1e-12);
      near &= std::fabs(fast_z[i] - z[i]) <= kRounding;
      near &= std::fabs(fast_gradient[i] - gradient[i]) <= kRounding * size + 1e-45;
    }
    check(near, at(std::string("normalised ") + name_of(data), rows, dim));
    normalize_rows(other.data(), other.data(), rows, dim, 5);
    check(same_bits(other, fast_z), at("normalised in place", rows, dim));
    other = g;
    normalize_rows_backward(other.data(), other.data(), x.data(), rows, dim, 5);
    check(same_bits(other, fast_gradient), at("normalised backward in place", rows, dim));
  }
}

void test_normalize() {
  for (Data data : {Data::kNormal, Data::kZeroRows, Data::kHugeRows, Data::kTinyRows}) {
    for (int64_t rows : {1, 2, 7, 700}) {
      for (int64_t dim : {1, 2, 7, 8, 9, 128, 513}) compare_normalize(rows, dim, data);
    }
  }
}

void test_arguments() {
  std::vector<float> a(256), b(256);
  const EmaSpan span{a.data(), b.data(), 4}, negative{a.data(), b.data(), -1}, null{a.data(), nullptr, 4};
  for (double m : {-0.1, 1.1, std::nan("")}) check_throws("momentum", [&] { ema_update(&span, 1, m); });
  check_throws("ema size", [&] { ema_update(&negative, 1, 0.5); });
  check_throws("ema null", [&] { ema_update(&null, 1, 0.5); });
  check_throws("ema count", [&] { ema_update(&span, -1, 0.5); });
  check_throws("rows", [&] { normalize_rows(a.data(), b.data(), 0, 4); });
  check_throws("dim", [&] { normalize_rows_backward(a.data(), b.data(), b.data(), 4, 0); });
}

}  // namespace
}  // namespace vssl

int main() {
  using namespace vssl;
  test_arguments();
  test_ema();
  test_normalize();
  return vssl::finish();
}
