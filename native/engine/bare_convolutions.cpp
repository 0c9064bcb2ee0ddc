#include "bare_convolutions.h"

#include <algorithm>
#include <chrono>

namespace vssl::engine {

BareConvolutions::BareConvolutions(const std::vector<ConvCall>& calls, at::ScalarType compute,
                                   const Placement& placement)
    : placement_(placement), calls_(calls), weights_(placement) {
  pass_.compute = compute;
  const Scope root(weights_, 0);
  int64_t most = 0;
  for (const ConvCall& call : calls_) {
    const Scope scope = root / static_cast<int64_t>(layers_.size());
    layers_.emplace_back(scope, std::nullopt, call.input[1], call.out, call.kernel, call.stride,
                         call.padding);
    most = std::max(most, c10::multiply_integers(call.input));
  }
  values_ = at::rand({most}, at::TensorOptions().device(placement.device)).to(compute);
  time();  // weights are brought into the order that oneDNN wants
}

Tensor BareConvolutions::input(const ConvCall& call) const {
  const auto& [n, c, t, h, w] = call.input;
  const Tensor values = values_.narrow(0, 0, n * c * t * h * w);
  return placement_.channels_last ? values.view({n, t, h, w, c}).permute({0, 4, 1, 2, 3})
                                  : values.view({n, c, t, h, w});
}

std::vector<ConvolutionTime> BareConvolutions::time() const {
  using Clock = std::chrono::steady_clock;
  std::vector<ConvolutionTime> out;
  for (size_t i = 0; i < calls_.size(); ++i) {
    const ConvCall& call = calls_[i];
    const Tensor x = input(call);
    const auto start = Clock::now();
    const Tensor y = layers_[i].forward(x, pass_, false);
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    const double taps = static_cast<double>(c10::multiply_integers(call.kernel));
    out.push_back({{call.input.begin(), call.input.end()},
                   y.sizes().vec(),
                   {call.kernel.begin(), call.kernel.end()},
                   2.0 * static_cast<double>(y.numel()) * static_cast<double>(call.input[1]) * taps,
                   seconds});
  }
  return out;
}

}  // namespace vssl::engine
