#include "losses.h"

#include "../device/devices.h"
#include "../errors.h"
#include "../layers/first_order.h"

namespace vssl::engine {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// From here on a call is worth the two exchanges that sharing it takes.
constexpr int64_t kSharedRows = 1024;

// What the kernel adds up over ranks. It must not throw there: an error is kept, and thrown when the kernel
// is done.
class Sharing {
 public:
  explicit Sharing(Collectives& ranks)
      : share_{ranks.rank(), ranks.size(),
               [this, &ranks](double* values, int64_t n) { add_up(ranks, values, n); },
               [this, &ranks](float* values, int64_t n) { add_up(ranks, values, n); }} {}
  Sharing(const Sharing&) = delete;
  Sharing& operator=(const Sharing&) = delete;
  const NtXentShare& share() const { return share_; }
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  template <typename T>
  void add_up(Collectives& ranks, T* values, int64_t n) {
    if (error_) return;
    try {
      Tensor all = at::from_blob(values, {n}, at::TensorOptions().dtype(c10::CppTypeToScalarType<T>::value));
      ranks.all_reduce(all);
    } catch (...) {
      error_ = std::current_exception();
    }
  }

  std::exception_ptr error_;
  NtXentShare share_;
};

struct NtXentFunction : torch::autograd::Function<NtXentFunction> {
  static Tensor forward(AutogradContext* ctx, const Tensor& embeddings, double temperature,
                        Collectives* ranks) {
    if (const DeviceKernels* kernels = kernels_of(embeddings))
      return on_device(ctx, embeddings.to(at::kFloat).contiguous(), temperature, *kernels);
    const Tensor z = embeddings.to(at::kFloat).contiguous();
    const Tensor gradient = at::empty_like(z);
    NtXentOptions options;
    options.temperature = temperature;
    options.threads = at::get_num_threads();
    std::optional<Sharing> sharing;
    if (ranks != nullptr && ranks->size() > 1 && z.size(0) >= kSharedRows)
      options.share = &sharing.emplace(*ranks).share();
    const NtXentResult result =
        nt_xent(gradient.mutable_data_ptr<float>(), z.const_data_ptr<float>(), z.size(0), z.size(1), options);
    if (sharing) sharing->rethrow();
    ctx->save_for_backward({gradient});
    return at::full({}, result.loss, z.options());
  }

  // Every rank makes the whole: a device is done with it sooner than ranks could exchange its parts.
  static Tensor on_device(AutogradContext* ctx, const Tensor& z, double temperature,
                          const DeviceKernels& kernels) {
    const Tensor gradient = at::empty_like(z), result = at::empty({2}, z.options().dtype(at::kDouble));
    static_assert(sizeof(NtXentResult) == 2 * sizeof(double), "loss and grad_temperature");
    NtXentOptions options;
    options.temperature = temperature;
    const Scratch scratch(kernels.nt_xent_room(z.size(0), z.size(1), options), z.device());
    kernels.nt_xent(static_cast<NtXentResult*>(result.mutable_data_ptr()), gradient.mutable_data_ptr<float>(),
                    z.const_data_ptr<float>(), z.size(0), z.size(1), options, scratch.room(),
                    kernels.stream(z.device()));
    ctx->save_for_backward({gradient});
    return result.select(0, 0).to(at::kFloat);
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    refuse_second_order("NT-Xent");
    const Tensor gradient = ctx->get_saved_variables()[0];
    return {gradient * grads[0], Tensor(), Tensor()};
  }
};

Tensor loss_of(const Tensor& embeddings, double temperature, Collectives* ranks) {
  if (embeddings.dim() != 2 || embeddings.size(0) < 2 || embeddings.size(0) % 2 != 0)
    throw_invalid("NT-Xent needs embeddings of shape (2N, D), got " + shape_text(embeddings.sizes()));
  return NtXentFunction::apply(embeddings, temperature, ranks);
}

}  // namespace

Tensor nt_xent_loss(const Tensor& embeddings, double temperature) {
  return loss_of(embeddings, temperature, nullptr);
}

Tensor nt_xent_loss(const Tensor& embeddings, double temperature, Collectives& ranks) {
  return loss_of(embeddings, temperature, &ranks);
}

}  // namespace vssl::engine
