#include "gradient_scale.h"

#include "first_order.h"

namespace vssl::engine {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct ScaleGradient : torch::autograd::Function<ScaleGradient> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, double factor) {
    ctx->saved_data["factor"] = factor;
    return x.view_as(x);
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    refuse_second_order("a scaled gradient");
    return {grads[0] * ctx->saved_data["factor"].toDouble(), Tensor()};
  }
};

}  // namespace

Tensor scale_gradient(const Tensor& x, double factor) { return ScaleGradient::apply(x, factor); }

}  // namespace vssl::engine
