// NT-Xent on the device against the double-precision twin.
#pragma once

#include "cuda_testing.h"

namespace vssl::cuda {

struct Outcome {
  NtXentResult result;
  std::vector<float> gradient;
};

/// One call on poisoned memory at odd addresses.
inline Outcome run_nt_xent(const Case& c, const std::vector<float>& x, bool gradient = true,
                           bool in_place = false, int replays = 0) {
  const NtXentOptions options = c.options();
  const std::size_t bytes = nt_xent_workspace(c.rows, c.dim, options, gradient);
  DeviceArray<unsigned char> workspace(bytes);
  DeviceArray<float> in(x, 1), out(x.size(), 1);
  DeviceArray<NtXentResult> result(1);
  float* const to = in_place ? in.get() : out.get();
  enqueue_work(
      [&](cudaStream_t stream) {
        nt_xent(result.get(), gradient ? to : nullptr, in.get(), c.rows, c.dim, options, workspace.get(),
                bytes, stream);
      },
      replays);
  return {result.read()[0], in_place ? in.read() : out.read()};
}

inline bool same(const Outcome& a, const Outcome& b) {
  return a.result.loss == b.result.loss && a.result.grad_temperature == b.result.grad_temperature &&
         same_bits(a.gradient, b.gradient);
}

inline void check_outcome(const Case& c, const Outcome& outcome, const Expected& expected,
                          const Tolerance& tolerance) {
  const std::vector<double> wide(outcome.gradient.begin(), outcome.gradient.end());
  const double loss = std::fabs(outcome.result.loss - expected.result.loss) / tolerance.loss;
  const double gradient = distance(wide, expected.gradient) / tolerance.gradient;
  const double temperature =
      std::fabs(outcome.result.grad_temperature - expected.result.grad_temperature) / tolerance.temperature;
  check(loss <= 1, name(c) + ": loss off by " + std::to_string(loss) + " tolerances");
  check(gradient <= 1, name(c) + ": gradient off by " + std::to_string(gradient) + " tolerances");
  check(temperature <= 1, name(c) + ": temperature off by " + std::to_string(temperature) + " tolerances");
}

/// In fp32 and in bf16, on each path, against one expectation.
inline void compare_nt_xent(Case c) {
  const std::vector<float> x = make(c.data, c.rows, c.dim);
  const Expected expected = expect(c, x);
  Tolerance tolerance =
      tolerance_of(expected.x, c.rows, c.dim, c.options(), expected.result, norm_of(expected.gradient));
  on_each_path([&] { check_outcome(c, run_nt_xent(c, x), expected, tolerance); });
  c.precision = Precision::kBf16;
  const Plain plain = plain_bf16(c, expected.x);
  tolerance.loss += 2 * std::fabs(plain.loss - expected.result.loss);
  tolerance.gradient += 2 * distance(plain.gradient, expected.gradient);
  tolerance.temperature += 0.01 * std::fabs(expected.result.grad_temperature) + 0.01 / c.tau;
  on_each_path([&] { check_outcome(c, run_nt_xent(c, x), expected, tolerance); });
}

/// The same bits again, in place, from a replayed graph, and of the loss without a gradient.
inline void check_equal_bits(const Case& c) {
  const std::vector<float> x = make(c.data, c.rows, c.dim);
  const Outcome first = run_nt_xent(c, x);
  check(same(run_nt_xent(c, x), first), name(c) + ": other bits the second time");
  check(same(run_nt_xent(c, x, true, true), first), name(c) + ": other bits in place");
  if (!kEmulated)
    check(same(run_nt_xent(c, x, true, false, 3), first), name(c) + ": other bits from a graph");
  const Outcome loss_only = run_nt_xent(c, x, false);
  check(loss_only.result.loss == first.result.loss && loss_only.result.grad_temperature == 0,
        name(c) + ": another loss without gradient");
  check(std::isnan(loss_only.gradient[0]), name(c) + ": wrote a gradient that was not asked for");
}

inline void check_not_finite(const Case& c) {
  for (float value : {NAN, INFINITY, -INFINITY}) {
    for (bool last : {true, false}) {
      std::vector<float> x = make(c.data, c.rows, c.dim);
      x[last ? x.size() - 1 : 0] = value;
      const Outcome outcome = run_nt_xent(c, x);
      const bool all = std::all_of(outcome.gradient.begin(), outcome.gradient.end(),
                                   [](float g) { return std::isnan(g); });
      check(std::isnan(outcome.result.loss) && std::isnan(outcome.result.grad_temperature) && all,
            name(c) + ": what is not finite does not give NaN everywhere");
    }
  }
}

inline void check_one_pair(const Case& c) {
  const std::vector<float> x = make(c.data, 2, c.dim);
  const Outcome outcome = run_nt_xent(c, x);
  const bool zeros =
      std::all_of(outcome.gradient.begin(), outcome.gradient.end(), [](float g) { return g == 0; });
  check(outcome.result.loss == 0 && outcome.result.grad_temperature == 0 && zeros, name(c) + ": not 0");
}

/// Sizes, temperatures and data; few of them where each costs seconds.
inline std::vector<Case> nt_xent_cases() {
  std::vector<Case> cases;
  const auto add = [&](int64_t rows, int64_t dim, double tau, Data data = Data::kNormal,
                       bool normalize = true) {
    cases.push_back({rows, dim, tau, data, normalize});
  };
  if (kEmulated) {
    for (int64_t rows : {4, 6, 126, 130}) {
      for (int64_t dim : {1, 3, 64, 65, 129}) add(rows, dim, dim % 2 == 0 ? 0.1 : 0.02);
    }
    add(514, 16, 0.05);
    add(640, 129, 0.1);
    add(258, 128, 0.5);
  } else {
    for (int64_t rows : {4, 6, 126, 127 + 1, 130, 256, 512, 514}) {
      for (int64_t dim : {1, 3, 7, 16, 63, 64, 65, 127, 128, 129, 512}) {
        for (double tau : {0.02, 0.1, 1.0}) add(rows, dim, tau);
      }
    }
    for (double tau : {0.024, 0.0241, 0.05, 0.07, 0.5}) add(1026, 128, tau);
    for (int64_t dim : {64, 300}) add(1030, dim, 0.1);
    for (int64_t dim : {3, 128}) add(4098, dim, 0.1);
  }
  for (Data data : {Data::kClustered, Data::kDuplicates, Data::kZeroRows, Data::kHugeRows, Data::kTinyRows,
                    Data::kOpposite, Data::kConfident}) {
    add(kEmulated ? 66 : 386, 65, 0.1, data);
    add(kEmulated ? 34 : 386, 128, 0.02, data);
  }
  add(130, 20, 4.0, Data::kNormal, false);
  add(66, 129, 40.0, Data::kNormal, false);
  add(66, 3, 0.1, Data::kZeroRows, false);
  return cases;
}

inline void add_nt_xent_checks(Checks& checks) {
  for (const Case& c : nt_xent_cases()) checks.push_back([c] { compare_nt_xent(c); });
  const auto add = [&](const Case& c, void (*run)(const Case&)) {
    checks.push_back([=] { on_each_path([&] { run(c); }); });
  };
  for (Precision precision : {Precision::kFp32, Precision::kBf16}) {
    for (Case c : {Case{130, 65}, Case{kEmulated ? 384 : 2050, 128, 0.1}, Case{514, 130, 0.02}}) {
      c.precision = precision;
      add(c, check_equal_bits);
    }
    for (bool normalize : {true, false}) {
      for (int64_t rows : {2, 66, kEmulated ? 258 : 1030})
        add({rows, 17, 0.1, Data::kNormal, normalize, precision}, check_not_finite);
    }
    add({2, 130, 0.05, Data::kNormal, true, precision}, check_one_pair);
  }
}

}  // namespace vssl::cuda
