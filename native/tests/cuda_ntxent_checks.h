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
                           bool in_place = false) {
  const NtXentOptions options = c.options();
  const std::size_t bytes = nt_xent_workspace(c.rows, c.dim, options, gradient);
  DeviceArray<unsigned char> workspace(bytes);
  DeviceArray<float> in(x, 1), out(x.size(), 1);
  DeviceArray<NtXentResult> result(1);
  float* const to = in_place ? in.get() : out.get();
  enqueue([&](cudaStream_t stream) {
    nt_xent(result.get(), gradient ? to : nullptr, in.get(), c.rows, c.dim, options, workspace.get(), bytes,
            stream);
  });
  return {result.read()[0], in_place ? in.read() : out.read()};
}

inline bool same(const Outcome& a, const Outcome& b) {
  return std::memcmp(&a.result, &b.result, sizeof a.result) == 0 && same_bits(a.gradient, b.gradient);
}

inline void compare_nt_xent(const Case& c) {
  const std::vector<float> x = make(c.data, c.rows, c.dim);
  const Expected expected = expect(c, x);
  const Outcome outcome = run_nt_xent(c, x);
  Tolerance tolerance =
      tolerance_of(expected.x, c.rows, c.dim, c.options(), expected.result, norm_of(expected.gradient));
  if (c.precision == Precision::kBf16) {
    const Plain plain = plain_bf16(c, expected.x);
    tolerance.loss += 2 * std::fabs(plain.loss - expected.result.loss);
    tolerance.gradient += 2 * distance(plain.gradient, expected.gradient);
    tolerance.temperature = INFINITY;
  }
  const std::vector<double> wide(outcome.gradient.begin(), outcome.gradient.end());
  const double loss = std::fabs(outcome.result.loss - expected.result.loss) / tolerance.loss;
  const double gradient = distance(wide, expected.gradient) / tolerance.gradient;
  const double temperature =
      std::fabs(outcome.result.grad_temperature - expected.result.grad_temperature) / tolerance.temperature;
  check(loss <= 1, c.name() + ": loss off by " + std::to_string(loss) + " tolerances");
  check(gradient <= 1, c.name() + ": gradient off by " + std::to_string(gradient) + " tolerances");
  check(temperature <= 1, c.name() + ": temperature off by " + std::to_string(temperature) + " tolerances");
}

}  // namespace vssl::cuda
