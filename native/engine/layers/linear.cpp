#include "linear.h"

#include <cmath>

#include "gradient_scale.h"
#include "wide_products.h"

namespace vssl::engine {

Linear::Linear(const Scope& scope, int64_t in, int64_t out, double gain, bool bias) {
  weight_ = scope.normal("weight", {out, in}, gain / std::sqrt(static_cast<double>(in)));
  if (bias) bias_ = scope.constant("bias", {out}, 0);
}

Tensor Linear::forward(const Tensor& x, const Pass& pass) const {
  const auto computed = [&](const Tensor& t) { return widened(entering(t, pass).to(pass.compute)); };
  auto bias = given(bias_);
  if (bias) bias = computed(*bias);
  return at::linear(computed(x), computed(weight_), bias).to(pass.compute);
}

}  // namespace vssl::engine
