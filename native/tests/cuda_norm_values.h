// BatchNorm on the device against the double-precision twins: values forward and back, inference, slopes.
#pragma once

#include "cuda_norm_testing.h"

namespace vssl::cuda {

/// Sums of up to 16 values in fp32, of errors of random sign.
constexpr double kOfSum = 2e-6;
/// A few roundings in fp32.
constexpr double kOfStep = 4e-7;

/// The worst error in tolerances of what was checked so far.
class Worst {
 public:
  void add(double value, double expected, double tolerance) {
    const double error = std::fabs(value - expected);
    if (error != 0) worst_ = worse(worst_, error / tolerance);
  }
  void report(const std::string& what) const { check_at_most(worst_, 1, what + ", in tolerances"); }

 private:
  double worst_ = 0;
};

inline void check_moments(const NormCase& c, const NormInputs& in, const std::vector<double>& moments,
                          const std::vector<double>& exact) {
  Worst means, squares;
  const double rows = static_cast<double>(c.rows);
  for (int64_t k = 0; k < c.channels; ++k) {
    const double deviation = std::sqrt(exact[c.channels + k] / rows);
    const double apart = std::fabs(in.x[k] - exact[k]);  // of the first row, from which distances are taken
    means.add(moments[k], exact[k], kOfSum * (deviation + apart) + 1e-13 * std::fabs(exact[k]));
    squares.add(moments[c.channels + k], exact[c.channels + k],
                kOfSum * (exact[c.channels + k] + rows * apart * apart) + 1e-30);
  }
  means.report(c.name() + ": means");
  squares.report(c.name() + ": squares");
}

/// Forward, from the device's moments to y and the running statistics.
inline void check_forward(const NormCase& c, const NormInputs& in, const NormOutcome& out) {
  const std::vector<double> x(in.x.begin(), in.x.end());
  const std::vector<double> exact = moments_twin(x, c.channels);
  check_moments(c, in, out.moments, exact);
  std::vector<double> mean(exact.begin(), exact.begin() + c.channels), var(c.channels);
  const double rows = static_cast<double>(c.rows);
  for (int64_t k = 0; k < c.channels; ++k) var[k] = exact[c.channels + k] / rows;
  const std::vector<double> y = norm_twin(c, in, x, mean, var);
  Worst values, running;
  for (std::size_t i = 0; i < y.size(); ++i) {
    const std::size_t k = i % c.channels;
    const double scale = std::fabs(in.gamma[k]) / std::sqrt(var[k] + c.settings().eps);
    const double size = scale * (std::fabs(x[i]) + std::fabs(mean[k]) + std::sqrt(var[k])) +
                        std::fabs(in.beta[k]) + std::fabs(in.residual[i]);
    values.add(out.y[i], y[i], kOfSum * size + rounding_of(c.type, y[i]));
  }
  for (int64_t k = 0; k < c.channels; ++k) {
    const double share = c.moves ? c.settings().momentum : 0, unbiased = c.moves ? rows / (rows - 1) : 1;
    const double apart = in.x[k] - mean[k];
    running.add(out.running_mean[k], (1 - share) * in.running_mean[k] + share * mean[k],
                kOfSum * (std::fabs(in.running_mean[k]) + std::fabs(mean[k]) + std::fabs(apart)));
    running.add(out.running_var[k], (1 - share) * in.running_var[k] + share * var[k] * unbiased,
                kOfSum * (in.running_var[k] + var[k] + apart * apart));
  }
  values.report(c.name() + ": y");
  running.report(c.name() + ": running statistics");
}

/// Back, from what the device's forward gave and from its own sums; `rows` 0: statistics are constants.
inline void check_backward(const NormCase& c, const NormInputs& in, const NormOutcome& forward,
                           const NormGradients& out, double rows) {
  std::vector<double> sums(2 * c.channels), sizes(2 * c.channels);
  Worst values, added, parameters;
  for (std::size_t i = 0; i < in.x.size(); ++i) {
    const std::size_t k = i % c.channels;
    const double g = !c.relu || forward.y[i] > 0 ? in.grad_y[i] : 0;
    const double distance = static_cast<double>(in.x[i]) - forward.mean[k];
    sums[k] += g;
    sums[c.channels + k] += g * distance;
    sizes[k] += std::fabs(g);
    sizes[c.channels + k] += std::fabs(g * distance);
    const double inverse = forward.inverse[k], slope = in.gamma[k] * inverse;
    const double level = rows > 0 ? -slope * out.sums[k] / rows : 0;
    const double along =
        rows > 0 ? -slope * inverse * inverse * out.sums[c.channels + k] / rows * distance : 0;
    const double expected = slope * g + along + level;
    values.add(out.x[i], expected,
               kOfStep * (std::fabs(slope * g) + std::fabs(along) + std::fabs(level)) +
                   rounding_of(c.type, expected));
    if (c.residual) added.add(out.residual[i], g, 1e-300);
  }
  Worst all_sums;
  for (int64_t k = 0; k < 2 * c.channels; ++k) all_sums.add(out.sums[k], sums[k], kOfSum * sizes[k] + 1e-30);
  for (int64_t k = 0; k < c.channels; ++k) {
    const double gamma = out.sums[c.channels + k] * forward.inverse[k];
    parameters.add(out.gamma[k], gamma, kOfStep * std::fabs(gamma) + 1e-30);
    if (c.center) parameters.add(out.beta[k], out.sums[k], kOfStep * std::fabs(out.sums[k]) + 1e-30);
  }
  all_sums.report(c.name() + ": backward sums");
  values.report(c.name() + ": grad_x");
  added.report(c.name() + ": grad_residual");
  parameters.report(c.name() + ": gradients of gamma and beta");
}

inline void check_norm(const NormCase& c) {
  const NormInputs in(c);
  const NormOutcome forward = run_norm(c, in);
  check_forward(c, in, forward);
  check_backward(c, in, forward, run_norm_backward(c, in, forward), static_cast<double>(c.rows));
  Manner constants;
  constants.rows = -1;
  check_backward(c, in, forward, run_norm_backward(c, in, forward, constants), 0);
}

/// Inference: the running statistics in place of the batch's, which stay as they are.
inline void check_norm_infer(const NormCase& c) {
  const NormInputs in(c);
  const Activations x(c.type, in.x, 1), residual(c.type, in.residual, 1), y(c.type, in.x.size(), 1);
  const DeviceArray<float> gamma(in.gamma, 1), beta(in.beta, 1), running_mean(in.running_mean, 1),
      running_var(in.running_var, 1), mean(c.channels, 1), inverse(c.channels, 1);
  enqueue_work([&](cudaStream_t stream) {
    norm_infer(y.get(), mean.get(), inverse.get(), running_mean.get(), running_var.get(), x.get(),
               gamma.get(), c.center ? beta.get() : nullptr, c.residual ? residual.get() : nullptr, c.shape(),
               c.settings(), stream);
  });
  const std::vector<double> exact =
      norm_twin(c, in, {in.x.begin(), in.x.end()}, {in.running_mean.begin(), in.running_mean.end()},
                {in.running_var.begin(), in.running_var.end()});
  const std::vector<float> values = y.read(), inverses = inverse.read();
  Worst worst;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    const std::size_t k = i % c.channels;
    const double scale = std::fabs(in.gamma[k]) / std::sqrt(in.running_var[k] + c.settings().eps);
    const double size = scale * (std::fabs(in.x[i]) + std::fabs(in.running_mean[k])) + std::fabs(in.beta[k]) +
                        std::fabs(in.residual[i]);
    worst.add(values[i], exact[i], kOfSum * size + rounding_of(c.type, exact[i]));
    worst.add(inverses[k], 1 / std::sqrt(in.running_var[k] + c.settings().eps), kOfStep * inverses[k]);
  }
  worst.report(c.name() + ": inference");
  check(equal_bits(mean.read(), in.running_mean), c.name() + ": inference gives another mean");
}

/// Gradients of L = sum of grad_y y against central differences of the twin.
inline void check_norm_slopes() {
  NormCase c{7, 3};
  c.relu = c.residual = true;
  const NormInputs in(c);
  const NormOutcome forward = run_norm(c, in);
  const NormGradients back = run_norm_backward(c, in, forward);
  const auto loss = [&](const std::vector<double>& x, const NormInputs& inputs) {
    const std::vector<double> moments = moments_twin(x, c.channels);
    std::vector<double> mean(moments.begin(), moments.begin() + c.channels), var(c.channels);
    for (int64_t k = 0; k < c.channels; ++k) var[k] = moments[c.channels + k] / static_cast<double>(c.rows);
    const std::vector<double> y = norm_twin(c, inputs, x, mean, var);
    double sum = 0;
    for (std::size_t i = 0; i < y.size(); ++i) sum += in.grad_y[i] * y[i];
    return sum;
  };
  const std::vector<double> x(in.x.begin(), in.x.end());
  for (std::size_t i = 0; i < x.size(); ++i) {
    std::vector<double> up = x, down = x;
    up[i] += 1e-5;
    down[i] -= 1e-5;
    const double slope = (loss(up, in) - loss(down, in)) / 2e-5;
    check_at_most(std::fabs(back.x[i] - slope), 1e-5, "cuda norm: dL/dx against differences");
  }
  const auto compare = [&](std::vector<float> NormInputs::*which, const std::vector<float>& gradient,
                           const char* what) {
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      NormInputs up = in, down = in;
      (up.*which)[i] += 1e-4f;  // y is linear in these
      (down.*which)[i] -= 1e-4f;
      const double width = static_cast<double>((up.*which)[i]) - (down.*which)[i];
      check_at_most(std::fabs(gradient[i] - (loss(x, up) - loss(x, down)) / width), 1e-5, what);
    }
  };
  compare(&NormInputs::gamma, back.gamma, "cuda norm: dL/dgamma against differences");
  compare(&NormInputs::beta, back.beta, "cuda norm: dL/dbeta against differences");
  compare(&NormInputs::residual, back.residual, "cuda norm: dL/dresidual against differences");
}

}  // namespace vssl::cuda
