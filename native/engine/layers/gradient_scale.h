// fp16 holds nothing below 6e-8, where many gradients of a network are. So within the layers that compute in
// fp16 gradients are S times what they are (Micikevicius et al., "Mixed Precision Training", ICLR 2018): they
// are multiplied where they enter these layers and divided where they leave, so that everything outside,
// losses and optimisers, never knows.
#pragma once

#include "pass.h"

namespace vssl::engine {

// x; its gradient is multiplied by `factor` on the way.
Tensor scale_gradient(const Tensor& x, double factor);

// The factor of a pass: 1 but in fp16.
inline double gradient_scale(const Pass& pass) { return pass.compute == at::kHalf ? pass.gradient_scale : 1; }

// A parameter or an input in fp32 that fp16 layers read: x, whose gradient comes back unscaled.
inline Tensor entering(const Tensor& x, const Pass& pass) {
  if (gradient_scale(pass) == 1 || !x.defined() || x.scalar_type() != at::kFloat) return x;
  return scale_gradient(x, 1 / gradient_scale(pass));
}
// What fp16 layers gave, in fp32: its gradient goes back scaled.
inline Tensor leaving(const Tensor& x, const Pass& pass) {
  const Tensor out = x.to(at::kFloat);
  return gradient_scale(pass) == 1 ? out : scale_gradient(out, gradient_scale(pass));
}

}  // namespace vssl::engine
