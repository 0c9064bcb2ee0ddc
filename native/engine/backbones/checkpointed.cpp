#include "checkpointed.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/custom_class.h>

#include "../layers/first_order.h"

namespace vssl::engine {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// How to compute a stage again. The network lives as long as the graph, and so does what the pass points to.
struct Again : torch::CustomClassHolder {
  Again(const VideoNet& net, int64_t index, const Pass& pass) : net(net), index(index), pass(pass) {
    this->pass.update_stats = false;
  }
  const VideoNet& net;
  const int64_t index;
  Pass pass;
};

struct StageFunction : torch::autograd::Function<StageFunction> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, at::TensorList weights, const VideoNet* net,
                        int64_t index, const Pass* pass) {
    ctx->save_for_backward({x});
    ctx->saved_data["again"] = c10::IValue::make_capsule(c10::make_intrusive<Again>(*net, index, *pass));
    ctx->saved_data["weights"] = weights.vec();
    return net->stage(index, x, *pass);
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    refuse_second_order("a checkpointed stage");
    const auto again = c10::static_intrusive_pointer_cast<Again>(ctx->saved_data["again"].toCapsule());
    const std::vector<Tensor> weights = ctx->saved_data["weights"].toTensorVector();
    const bool input = ctx->needs_input_grad(0);
    const Tensor x = ctx->get_saved_variables()[0].detach().requires_grad_(input);
    variable_list wanted;
    if (input) wanted.push_back(x);
    wanted.insert(wanted.end(), weights.begin(), weights.end());
    Tensor y;
    {
      const at::AutoGradMode graph(true);
      y = again->net.stage(again->index, x, again->pass);
    }
    variable_list found = torch::autograd::grad({y}, wanted, {grads[0]}, false, false, true);
    if (!input) found.insert(found.begin(), Tensor());
    found.resize(found.size() + 3);
    return found;
  }
};

}  // namespace

Tensor checkpointed(const VideoNet& net, int64_t index, const Tensor& x, const Pass& pass) {
  variable_list weights;
  for (const auto& entry : net.weights().entries())
    if (entry.tensor.requires_grad()) weights.push_back(entry.tensor);
  return StageFunction::apply(x, at::TensorList(weights), &net, index, &pass);
}

}  // namespace vssl::engine
