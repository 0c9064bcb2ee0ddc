#include "losses.h"

#include "../../kernels/kernels.h"
#include "../errors.h"
#include "../layers/first_order.h"

namespace vssl::engine {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct NtXentFunction : torch::autograd::Function<NtXentFunction> {
  static Tensor forward(AutogradContext* ctx, const Tensor& embeddings, double temperature) {
    const Tensor z = embeddings.to(at::kCPU, at::kFloat).contiguous();
    const Tensor gradient = at::empty_like(z);
    NtXentOptions options;
    options.temperature = temperature;
    options.threads = at::get_num_threads();
    const NtXentResult result =
        nt_xent(gradient.mutable_data_ptr<float>(), z.const_data_ptr<float>(), z.size(0), z.size(1), options);
    ctx->save_for_backward({gradient});
    return at::full({}, result.loss, z.options()).to(embeddings.device());
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    refuse_second_order("NT-Xent");
    const Tensor gradient = ctx->get_saved_variables()[0];
    return {gradient.to(grads[0].device()) * grads[0], Tensor()};
  }
};

}  // namespace

Tensor nt_xent_loss(const Tensor& embeddings, double temperature) {
  if (embeddings.dim() != 2 || embeddings.size(0) < 2 || embeddings.size(0) % 2 != 0)
    throw_invalid("NT-Xent needs embeddings of shape (2N, D), got " + shape_text(embeddings.sizes()));
  return NtXentFunction::apply(embeddings, temperature);
}

}  // namespace vssl::engine
