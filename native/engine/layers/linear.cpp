#include "linear.h"

#include <cmath>

namespace vssl::engine {

Linear::Linear(const Scope& scope, int64_t in, int64_t out, double gain, bool bias) {
  weight_ = scope.normal("weight", {out, in}, gain / std::sqrt(static_cast<double>(in)));
  if (bias) bias_ = scope.constant("bias", {out}, 0);
}

Tensor Linear::forward(const Tensor& x, const Pass& pass) const {
  auto bias = given(bias_);
  if (bias) bias = bias->to(pass.compute);
  return at::linear(x.to(pass.compute), weight_.to(pass.compute), bias);
}

}  // namespace vssl::engine
