// The inner loops of the optimisers on the CPU: one pass over parameter, state and gradient. Tensors are
// fp32, dense, and have the same memory layout; an update takes no memory, so it cannot fail half-way.
#pragma once

#include "tensor.h"

namespace vssl::engine {

struct MomentumStep {
  double lr, momentum, decay, scale;
  bool nesterov;
};
// g = scale gradient + decay p;  v = momentum v + g;  p -= lr (nesterov ? g + momentum v : v)
void sgd_update(const Tensor& p, const Tensor& v, const Tensor& gradient, const MomentumStep& s);
// g as above;  v = momentum v + lr g;  p -= nesterov ? lr g + momentum v : v
void lars_update(const Tensor& p, const Tensor& v, const Tensor& gradient, const MomentumStep& s);

struct AdamStep {
  double lr, beta1, beta2, eps, decay, scale, correction1, correction2;
};
// p *= 1 - lr decay;  m, v: moving means of g, g^2;  p -= lr (m / correction1) / (sqrt(v / correction2) +
// eps)
void adamw_update(const Tensor& p, const Tensor& m, const Tensor& v, const Tensor& gradient,
                  const AdamStep& s);

// sum over entries of (scale g + decay p)^2, in double, in an order that depends on the size alone; p may be
// undefined.
double square_sum(const Tensor& g, double scale, const Tensor& p, double decay);

}  // namespace vssl::engine
