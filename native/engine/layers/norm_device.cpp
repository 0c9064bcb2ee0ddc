// BatchNorm, what is added to it, and ReLU on a device: two launches forward, two backward (training_cuda.h).
#include "../../common/ending.h"
#include "first_order.h"
#include "norm_ways.h"

namespace vssl::engine {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

Element element_of(const Tensor& x) {
  switch (x.scalar_type()) {
    case at::kFloat:
      return Element::kFloat;
    case at::kBFloat16:
      return Element::kBf16;
    case at::kHalf:
      return Element::kHalf;
    default:
      throw Error("ERR_VSSL_INTERNAL", "BatchNorm on a device takes fp32, bf16 and fp16");
  }
}

NormShape shape_of(const Tensor& x) { return {x.numel() / x.size(1), x.size(1), element_of(x)}; }

template <typename T>
T* data(const Tensor& t) {
  return t.defined() ? static_cast<T*>(t.mutable_data_ptr()) : nullptr;
}
const void* read(const Tensor& t) { return t.defined() ? t.const_data_ptr() : nullptr; }

Tensor doubles_like(const Tensor& x, int64_t count) {
  return at::empty({count}, x.options().requires_grad(false).dtype(at::kDouble));
}

// The moments of all ranks take the place of one's own; returns the rows of all. The ranks meet on the CPU.
int64_t join(const Tensor& moments, int64_t rows, Sharers& ranks) {
  const Tensor own = moments.to(at::kCPU);
  const double* values = own.const_data_ptr<double>();
  const int64_t channels = own.numel() / 2;
  Moments all{
      static_cast<double>(rows), {values, values + channels}, {values + channels, values + 2 * channels}};
  all = joined(all, ranks);
  double* out = own.mutable_data_ptr<double>();
  std::copy(all.squares.begin(), all.squares.end(), std::copy(all.mean.begin(), all.mean.end(), out));
  moments.copy_(own);
  return static_cast<int64_t>(all.rows);
}

struct DeviceNorm : torch::autograd::Function<DeviceNorm> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& gamma,
                        std::optional<Tensor> beta, std::optional<Tensor> residual,
                        const Tensor& running_mean, const Tensor& running_var, const DeviceKernels* kernels,
                        const NormSetup& s) {
    const NormShape shape = shape_of(x);
    void* const stream = kernels->stream(x.device());
    const Tensor mean = at::empty({shape.channels}, gamma.options().requires_grad(false));
    const Tensor inverse = at::empty_like(mean), y = empty_matrix_like(x);
    const bool moves = s.update && (!s.ranks || s.ranks->leads());
    const bool runs = moves || !s.train;
    NormStatistics statistics{data<float>(mean), data<float>(inverse),
                              runs ? data<float>(running_mean) : nullptr,
                              runs ? data<float>(running_var) : nullptr};
    Tensor moments;
    if (s.train) {
      moments = doubles_like(x, 2 * shape.channels);
      const Scratch scratch(kernels->norm_room(shape), x.device());
      kernels->norm_moments(data<double>(moments), read(x), shape, scratch.room(), stream);
      statistics.rows = s.ranks ? join(moments, shape.rows, *s.ranks) : shape.rows;
      statistics.moments = data<double>(moments);
    }
    kernels->norm_forward(data<void>(y), statistics, read(x),
                          {data<float>(gamma), data<float>(beta.value_or(Tensor()))},
                          read(residual.value_or(Tensor())), shape, {s.eps, s.momentum, s.relu}, stream);
    ctx->save_for_backward({x, gamma, mean, inverse, s.relu ? y : Tensor()});
    ctx->saved_data["kernels"] = reinterpret_cast<int64_t>(kernels);
    ctx->saved_data["ranks"] = reinterpret_cast<int64_t>(s.ranks);  // there as long as the graph
    ctx->saved_data["train"] = s.train;
    ctx->saved_data["beta"] = beta.has_value();
    ctx->saved_data["residual"] = residual.has_value();
    return y;
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    refuse_second_order("the fused BatchNorm");
    ending::check();
    const auto saved = ctx->get_saved_variables();
    const Tensor &x = saved[0], &gamma = saved[1], &mean = saved[2], &inverse = saved[3], &y = saved[4];
    const auto& kernels = *reinterpret_cast<const DeviceKernels*>(ctx->saved_data["kernels"].toInt());
    auto* const ranks = reinterpret_cast<Sharers*>(ctx->saved_data["ranks"].toInt());
    const bool train = ctx->saved_data["train"].toBool(), residual = ctx->saved_data["residual"].toBool();
    const Tensor g = as_layout_of(grads[0], x);
    const NormShape shape = shape_of(x);
    void* const stream = kernels.stream(x.device());

    const Tensor own = doubles_like(x, 2 * shape.channels);
    const Scratch scratch(kernels.norm_room(shape), x.device());
    kernels.norm_backward_sums(data<double>(own), read(g), read(y), read(x), data<float>(mean), shape,
                               scratch.room(), stream);
    Tensor all = own;
    int64_t rows = train ? shape.rows : 0;
    if (train && ranks) {
      const Tensor here = own.to(at::kCPU);
      rows = static_cast<int64_t>(summed(here, static_cast<double>(rows), *ranks));
      all = here.to(x.device());
    }
    const Tensor gx = empty_matrix_like(x), ggamma = at::empty_like(mean);
    const Tensor gbeta = ctx->saved_data["beta"].toBool() ? at::empty_like(mean) : Tensor();
    // Without ReLU what is added gets the gradient as it came.
    const Tensor gresidual = !residual ? Tensor() : y.defined() ? empty_matrix_like(x) : g;
    kernels.norm_backward({data<void>(gx), y.defined() ? data<void>(gresidual) : nullptr, data<float>(ggamma),
                           data<float>(gbeta)},
                          data<double>(own), data<double>(all), rows, read(g), read(y), read(x),
                          data<float>(gamma), data<float>(mean), data<float>(inverse), shape, stream);
    return {gx, ggamma, gbeta, gresidual, Tensor(), Tensor(), Tensor(), Tensor()};
  }
};

}  // namespace

Tensor norm_on_device(const DeviceKernels& kernels, const NormTensors& t, const NormSetup& setup) {
  const Tensor x = t.x.contiguous(layout_of(t.x.dim()));
  const Tensor added = t.residual.defined() ? as_layout_of(t.residual, x) : t.residual;
  return DeviceNorm::apply(x, t.gamma, given(t.beta), given(added), t.running_mean, t.running_var, &kernels,
                           setup);
}

}  // namespace vssl::engine
