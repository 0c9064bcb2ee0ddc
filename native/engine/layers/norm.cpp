// Batch normalisation with ReLU and residual addition fused in: forward and backward read and write each
// activation twice, where separate operations need about five passes. Here for the CPU and channels-last; on
// other devices norm_device.cpp, for other layouts ATen's operations.
#include "norm.h"

#include <algorithm>
#include <cmath>

#include "../../common/ending.h"
#include "../errors.h"
#include "first_order.h"
#include "gradient_scale.h"
#include "norm_kernels.h"
#include "norm_ways.h"

namespace vssl::engine {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr auto kChannelsLast = at::MemoryFormat::ChannelsLast3d;

// The matrix behind a (N, C) or channels-last (N, C, T, H, W) tensor.
struct Matrix {
  int64_t rows, channels;
  explicit Matrix(const Tensor& x) : rows(x.size(1) ? x.numel() / x.size(1) : 0), channels(x.size(1)) {}
};

bool is_matrix(const Tensor& x) {
  const auto type = x.scalar_type();
  if (!x.is_cpu() || (type != at::kFloat && type != at::kBFloat16) || x.numel() == 0) return false;
  return (x.dim() == 2 && x.is_contiguous()) || (x.dim() == 5 && x.is_contiguous(kChannelsLast));
}

// Splits rows into pieces whose number depends on the size alone, so that sums do not depend on the thread
// count.
struct Pieces {
  int64_t count, rows;
  Pieces(int64_t total_rows, int64_t channels) : rows(total_rows) {
    const int64_t per_piece = std::max<int64_t>(1, (int64_t{1} << 15) / std::max<int64_t>(1, channels));
    count = std::clamp<int64_t>(total_rows / per_piece, 1, 64);
  }
  template <typename F>
  void run(F&& body) const {  // body(piece, first_row, rows)
    at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t first = rows * i / count;
        body(i, first, rows * (i + 1) / count - first);
      }
    });
  }
};

// Two sums per channel, over pieces in order, in double.
struct ChannelSums {
  std::vector<double> first, second;
  template <typename F>
  ChannelSums(const Pieces& pieces, int64_t channels, F&& body) : first(channels), second(channels) {
    std::vector<float> partial(static_cast<size_t>(pieces.count * 2 * channels), 0.0f);
    pieces.run([&](int64_t i, int64_t row, int64_t rows) {
      float* a = partial.data() + i * 2 * channels;
      body(a, a + channels, row, rows);
    });
    for (int64_t i = 0; i < pieces.count; ++i) {
      const float* a = partial.data() + i * 2 * channels;
      for (int64_t c = 0; c < channels; ++c) {
        first[c] += a[c];
        second[c] += a[channels + c];
      }
    }
  }
};

template <typename T>
const T* data(const Tensor& t) {
  return t.defined() ? static_cast<const T*>(t.const_data_ptr()) : nullptr;
}
template <typename T>
T* mutable_data(const Tensor& t) {
  return t.defined() ? static_cast<T*>(t.mutable_data_ptr()) : nullptr;
}

// Writes mean and 1 / sqrt(var + eps) of each channel, and moves the running statistics.
template <typename T>
void batch_statistics(float* mean, float* inverse, const Tensor& x, const Tensor& running_mean,
                      const Tensor& running_var, const NormSetup& s) {
  const Matrix m(x);
  const auto& kernels = norm_kernels<T>();
  const T* px = data<T>(x);
  // Sums are taken of the distance to the first row: no cancellation when the mean is large against the
  // deviation.
  std::vector<float> shift(m.channels);
  const Tensor head =
      (x.dim() == 2 ? x.select(0, 0) : x.permute({0, 2, 3, 4, 1}).reshape({-1, m.channels}).select(0, 0))
          .to(at::kFloat)
          .contiguous();
  std::copy_n(data<float>(head), m.channels, shift.data());
  const ChannelSums sums(Pieces(m.rows, m.channels), m.channels,
                         [&](float* sum, float* squares, int64_t row, int64_t rows) {
                           kernels.stats(sum, squares, px + row * m.channels, shift.data(), rows, m.channels);
                         });
  Moments all{static_cast<double>(m.rows), std::vector<double>(m.channels), std::vector<double>(m.channels)};
  for (int64_t c = 0; c < m.channels; ++c) {
    const double d = sums.first[c] / all.rows;
    all.mean[c] = d + shift[c];
    all.squares[c] = sums.second[c] - all.rows * d * d;
  }
  if (s.ranks) all = joined(all, *s.ranks);
  float* run_mean = mutable_data<float>(running_mean);
  float* run_var = mutable_data<float>(running_var);
  const double n = all.rows;
  const bool moves = s.update && (!s.ranks || s.ranks->leads());
  for (int64_t c = 0; c < m.channels; ++c) {
    const double var = all.squares[c] < 0 ? 0 : all.squares[c] / n;  // rounding; NaN stays
    mean[c] = static_cast<float>(all.mean[c]);
    inverse[c] = static_cast<float>(1.0 / std::sqrt(var + s.eps));
    if (!moves) continue;
    run_mean[c] = static_cast<float>((1 - s.momentum) * run_mean[c] + s.momentum * all.mean[c]);
    run_var[c] = static_cast<float>((1 - s.momentum) * run_var[c] + s.momentum * var * (n / (n - 1)));
  }
}

template <typename T>
Tensor normalise(Tensor& mean, Tensor& inverse, const Tensor& x, const Tensor& gamma, const Tensor& beta,
                 const Tensor& residual, const Tensor& running_mean, const Tensor& running_var,
                 const NormSetup& s) {
  const Matrix m(x);
  mean = at::empty({m.channels}, gamma.options().requires_grad(false));
  inverse = at::empty_like(mean);
  float *mu = mutable_data<float>(mean), *inv = mutable_data<float>(inverse);
  if (s.train) {
    batch_statistics<T>(mu, inv, x, running_mean, running_var, s);
  } else {
    const float *rm = data<float>(running_mean), *rv = data<float>(running_var);
    for (int64_t c = 0; c < m.channels; ++c) {
      mu[c] = rm[c];
      inv[c] = static_cast<float>(1.0 / std::sqrt(static_cast<double>(rv[c]) + s.eps));
    }
  }
  std::vector<float> scale(m.channels), shift(m.channels);
  const float *g = data<float>(gamma), *b = data<float>(beta);
  for (int64_t c = 0; c < m.channels; ++c) {
    scale[c] = g[c] * inv[c];
    shift[c] = static_cast<float>((b ? b[c] : 0.0) - static_cast<double>(mu[c]) * scale[c]);
  }
  const Tensor y = empty_matrix_like(x);
  const T *px = data<T>(x), *pr = data<T>(residual);
  T* py = mutable_data<T>(y);
  Pieces(m.rows, m.channels).run([&](int64_t, int64_t row, int64_t rows) {
    const int64_t o = row * m.channels;
    norm_kernels<T>().apply(py + o, px + o, pr ? pr + o : nullptr, scale.data(), shift.data(), rows,
                            m.channels, s.relu);
  });
  return y;
}

struct Gradients {
  Tensor x, gamma, beta, residual;
};

// Both sums become those of all ranks; returns the rows of all.
double add_over_ranks(ChannelSums& sums, double rows, Sharers& ranks) {
  const auto channels = static_cast<int64_t>(sums.first.size());
  const Tensor all = at::empty({2 * channels}, at::kDouble);
  double* values = all.mutable_data_ptr<double>();
  std::copy(sums.second.begin(), sums.second.end(), std::copy(sums.first.begin(), sums.first.end(), values));
  rows = summed(all, rows, ranks);
  std::copy_n(values, channels, sums.first.begin());
  std::copy_n(values + channels, channels, sums.second.begin());
  return rows;
}

template <typename T>
Gradients normalise_backward(const Tensor& gy, const Tensor& x, const Tensor& y, const Tensor& gamma,
                             const Tensor& mean, const Tensor& inverse, bool train, bool relu,
                             bool want_residual, Sharers* ranks) {
  const Matrix m(x);
  const Pieces pieces(m.rows, m.channels);
  const auto& kernels = norm_kernels<T>();
  const T *pg = data<T>(gy), *px = data<T>(x), *py = data<T>(y);
  const float *mu = data<float>(mean), *inv = data<float>(inverse), *g = data<float>(gamma);
  ChannelSums sums(pieces, m.channels, [&](float* sum, float* dot, int64_t row, int64_t rows) {
    const int64_t o = row * m.channels;
    kernels.grad_sums(sum, dot, pg + o, py + o, px + o, mu, rows, m.channels, relu);
  });
  Gradients out;
  out.gamma = at::empty_like(mean);
  out.beta = at::empty_like(mean);
  float *ggamma = mutable_data<float>(out.gamma), *gbeta = mutable_data<float>(out.beta);
  for (int64_t c = 0; c < m.channels; ++c) {
    ggamma[c] = static_cast<float>(sums.second[c] * inv[c]);
    gbeta[c] = static_cast<float>(sums.first[c]);
  }
  // The mean and the deviation that every rank's rows were measured by belong to all of them.
  double n = static_cast<double>(m.rows);
  if (train && ranks) n = add_over_ranks(sums, n, *ranks);
  std::vector<float> a(m.channels), b(m.channels), k(m.channels);
  for (int64_t c = 0; c < m.channels; ++c) {
    a[c] = g[c] * inv[c];
    b[c] =
        train ? static_cast<float>(-static_cast<double>(a[c]) * inv[c] * inv[c] * sums.second[c] / n) : 0.0f;
    k[c] = train ? static_cast<float>(-static_cast<double>(a[c]) * sums.first[c] / n) : 0.0f;
  }
  out.x = empty_matrix_like(x);
  if (want_residual && relu) out.residual = empty_matrix_like(x);
  if (want_residual && !relu) out.residual = gy;
  T *gx = mutable_data<T>(out.x), *gr = want_residual && relu ? mutable_data<T>(out.residual) : nullptr;
  pieces.run([&](int64_t, int64_t row, int64_t rows) {
    const int64_t o = row * m.channels;
    kernels.grad_apply(gx + o, gr ? gr + o : nullptr, pg + o, py + o, px + o, a.data(), b.data(), k.data(),
                       mu, rows, m.channels, relu);
  });
  return out;
}

struct NormFunction : torch::autograd::Function<NormFunction> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& gamma,
                        std::optional<Tensor> center, std::optional<Tensor> added, const Tensor& running_mean,
                        const Tensor& running_var, const NormSetup& s) {
    const Tensor beta = center.value_or(Tensor()), residual = added.value_or(Tensor());
    Tensor mean, inverse, y;
    if (x.scalar_type() == at::kFloat)
      y = normalise<float>(mean, inverse, x, gamma, beta, residual, running_mean, running_var, s);
    else
      y = normalise<uint16_t>(mean, inverse, x, gamma, beta, residual, running_mean, running_var, s);
    // y tells where ReLU let the gradient through.
    ctx->save_for_backward({x, gamma, mean, inverse, s.relu ? y : Tensor()});
    ctx->saved_data["train"] = s.train;
    ctx->saved_data["relu"] = s.relu;
    ctx->saved_data["ranks"] = reinterpret_cast<int64_t>(s.ranks);  // there as long as the graph
    ctx->saved_data["center"] = beta.defined();
    ctx->saved_data["residual"] = residual.defined();
    return y;
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    refuse_second_order("the fused BatchNorm");
    ending::check();
    const auto saved = ctx->get_saved_variables();
    const Tensor &x = saved[0], &gamma = saved[1], &mean = saved[2], &inverse = saved[3];
    const bool train = ctx->saved_data["train"].toBool(), relu = ctx->saved_data["relu"].toBool();
    const bool residual = ctx->saved_data["residual"].toBool();
    auto* const ranks = reinterpret_cast<Sharers*>(ctx->saved_data["ranks"].toInt());
    const Tensor& y = relu ? saved[4] : x;
    const Tensor g = as_layout_of(grads[0], x);
    Gradients out =
        x.scalar_type() == at::kFloat
            ? normalise_backward<float>(g, x, y, gamma, mean, inverse, train, relu, residual, ranks)
            : normalise_backward<uint16_t>(g, x, y, gamma, mean, inverse, train, relu, residual, ranks);
    if (!ctx->saved_data["center"].toBool()) out.beta = Tensor();
    return {out.x, out.gamma, out.beta, out.residual, Tensor(), Tensor(), Tensor()};
  }
};

}  // namespace

BatchNorm::BatchNorm(const Scope& scope, int64_t channels, double momentum, double eps, bool center)
    : momentum_(momentum), eps_(eps) {
  weight_ = scope.constant("weight", {channels}, 1);
  if (center) bias_ = scope.constant("bias", {channels}, 0);
  running_mean_ = scope.buffer("running_mean", {channels}, 0);
  running_var_ = scope.buffer("running_var", {channels}, 1);
  batches_ = scope.buffer("num_batches_tracked", {}, 0, at::kLong);
}

std::pair<Tensor, Tensor> BatchNorm::running() const {
  const at::NoGradGuard no_grad;
  const Tensor scale = weight_.to(at::kDouble) / at::sqrt(running_var_.to(at::kDouble) + eps_);
  Tensor shift = -running_mean_.to(at::kDouble) * scale;
  if (bias_.defined()) shift = shift + bias_.to(at::kDouble);
  return {scale.to(at::kFloat), shift.to(at::kFloat)};
}

Tensor BatchNorm::forward(const Tensor& input, const Pass& pass, bool relu, const Tensor& residual) const {
  ending::check();
  // Ranks have to meet, whatever layout libtorch gave a small part.
  const Tensor x = pass.ranks && input.dim() == 5 ? input.contiguous(kChannelsLast) : input;
  if (pass.train && !pass.ranks && x.numel() / x.size(1) < 2)
    throw_invalid("BatchNorm in training needs at least 2 values per channel, got input of shape " +
                  shape_text(x.sizes()) + "; use a larger batch or larger clips");
  const bool update = pass.train && pass.update_stats;
  const double momentum = pass.stats_momentum.value_or(momentum_);
  const NormSetup setup{pass.train, update, relu, momentum, eps_, pass.ranks};
  if (update && (!pass.ranks || pass.ranks->leads())) {
    const at::NoGradGuard no_grad;
    batches_.add_(1);
  }
  const Tensor weight = entering(weight_, pass), bias = entering(bias_, pass);
  if (const DeviceKernels* kernels = kernels_of(x))
    return norm_on_device(*kernels, {x, weight, bias, residual, running_mean_, running_var_}, setup);
  if (is_matrix(x)) {
    const Tensor added = residual.defined() ? as_layout_of(residual, x) : residual;
    return NormFunction::apply(x, weight, given(bias), given(added), running_mean_, running_var_, setup);
  }
  // Without an update ATen must not see the running statistics in training mode, where it would move them.
  const bool use_running = update || !pass.train;
  const auto mean = given(use_running ? running_mean_ : Tensor());
  const auto var = given(use_running ? running_var_ : Tensor());
  Tensor y = at::batch_norm(x, weight, given(bias), mean, var, pass.train, momentum, eps_, false);
  if (residual.defined()) y = y + residual;
  return relu ? at::relu(y) : y;
}

}  // namespace vssl::engine
