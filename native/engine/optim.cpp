#include "optim.h"

#include <algorithm>
#include <cmath>

#include "../common/memory.h"
#include "device/devices.h"
#include "errors.h"
#include "optim_kernels.h"

namespace vssl::engine {

namespace {

// The gradient with the memory layout of its parameter, so that entry i of one belongs to entry i of the
// other.
Tensor aligned_gradient(const OptimParameter& p) {
  const Tensor g = p.tensor.grad();
  if (!g.defined() || (g.strides() == p.tensor.strides() && g.scalar_type() == at::kFloat)) return g;
  return at::empty_like(p.tensor).copy_(g);
}

using State = std::vector<std::pair<std::string, Tensor>>;

std::vector<Tensor> zeros_like_parameters(const std::vector<OptimParameter>& parameters) {
  double bytes = 0;
  for (const auto& p : parameters) bytes += static_cast<double>(p.tensor.nbytes());
  if (!parameters.empty() && parameters[0].tensor.is_cpu())
    check_memory(3 * bytes, "training this network (weights, gradients, optimiser)");
  std::vector<Tensor> out;
  for (const auto& p : parameters) out.push_back(at::zeros_like(p.tensor.detach()));
  return out;
}

// A parameter that moves in this step.
struct Due {
  size_t index;
  Tensor gradient;  // aligned
  double scale;
  double rate;
};

// All that can fail comes here, before the first parameter moves: memory for gradients in another layout.
std::vector<Due> due_updates(const std::vector<OptimParameter>& parameters, double lr,
                             const std::vector<double>& scales) {
  std::vector<Due> due;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const OptimParameter& p = parameters[i];
    const Tensor g = aligned_gradient(p);
    if (g.defined()) due.push_back({i, g, scales.at(p.objective), lr * p.rate});
  }
  return due;
}

float* data(const Tensor& t) { return static_cast<float*>(t.mutable_data_ptr()); }

// Null on the CPU. Networks of a method are on one device.
const DeviceKernels* kernels_of(const std::vector<OptimParameter>& parameters) {
  return parameters.empty() ? nullptr : engine::kernels_of(parameters[0].tensor);
}

// sums[into] of all spans, doubles on `like`'s device.
Tensor square_sums(const DeviceKernels& kernels, const std::vector<SquareSpan>& spans, int64_t sums,
                   const Tensor& like) {
  const Tensor out = at::empty({sums}, like.options().requires_grad(false).dtype(at::kDouble));
  const auto count = static_cast<int64_t>(spans.size());
  const Scratch scratch(kernels.square_sums_room(spans.data(), count, sums), like.device());
  kernels.square_sums(out.mutable_data_ptr<double>(), sums, spans.data(), count, scratch.room(),
                      kernels.stream(like.device()));
  return out;
}

// SGD with momentum; with a trust coefficient, LARS.
class Momentum : public Optimizer {
 public:
  Momentum(const Value& settings, const std::vector<OptimParameter>& parameters, bool lars)
      : parameters_(parameters), velocity_(zeros_like_parameters(parameters)), lars_(lars) {
    std::vector<std::string> keys = {"name", "momentum", "nesterov", "weightDecay"};
    if (lars) keys.push_back("trustCoefficient");
    check_keys(settings, keys, "optimizer");
    momentum_ = number_in(settings, "momentum", 0.9, 0, 1);
    nesterov_ = settings.get_bool("nesterov", false);
    decay_ = number_in(settings, "weightDecay", 0, 0, 1e3);
    trust_ = number_in(settings, "trustCoefficient", 0.001, 0, 1e3);
  }

  void step(double lr, const std::vector<double>& scales) override {
    std::vector<Due> due = due_updates(parameters_, lr, scales);
    if (const DeviceKernels* kernels = kernels_of(parameters_)) return step_on_device(*kernels, due);
    if (lars_) trust(due);
    for (const Due& d : due)
      (lars_ ? lars_update : sgd_update)(parameters_[d.index].tensor, velocity_[d.index], d.gradient,
                                         {d.rate, momentum_, decay_of(d), d.scale, nesterov_});
  }

  State state() override {
    State out;
    for (size_t i = 0; i < parameters_.size(); ++i)
      out.emplace_back(parameters_[i].name + "/momentum", velocity_[i]);
    return out;
  }

 private:
  double decay_of(const Due& d) const {
    const OptimParameter& p = parameters_[d.index];
    return p.decays ? decay_ * p.decay : 0;
  }

  void trust(std::vector<Due>& due) const {
    for (Due& d : due) {
      const OptimParameter& p = parameters_[d.index];
      if (!p.decays) continue;
      const double weight = std::sqrt(square_sum(p.tensor, 1, {}, 0));
      const double gradient = std::sqrt(square_sum(d.gradient, d.scale, p.tensor, decay_of(d)));
      if (weight > 0 && gradient > 0) d.rate *= trust_ * weight / gradient;
    }
  }

  // The same in a few launches; the norms stay on the device.
  void step_on_device(const DeviceKernels& kernels, const std::vector<Due>& due) const {
    std::vector<MomentumSpan> spans;
    std::vector<SquareSpan> squares;
    for (const Due& d : due) {
      const OptimParameter& p = parameters_[d.index];
      const auto rate = static_cast<float>(d.rate), decay = static_cast<float>(decay_of(d)),
                 scale = static_cast<float>(d.scale);
      const float* gradient = d.gradient.const_data_ptr<float>();
      const auto trust = lars_ && p.decays ? static_cast<float>(trust_) : 0.0f;
      spans.push_back({data(p.tensor), data(velocity_[d.index]), gradient, p.tensor.numel(),
                       lars_ ? rate : 1.0f, lars_ ? 1.0f : rate, decay, scale, trust});
      // First all weights, then all gradients.
      const auto k = static_cast<int64_t>(spans.size()) - 1, count = static_cast<int64_t>(due.size());
      squares.push_back({data(p.tensor), nullptr, p.tensor.numel(), 1, 0, k});
      squares.push_back({gradient, data(p.tensor), p.tensor.numel(), scale, decay, count + k});
    }
    if (spans.empty()) return;
    const Tensor& like = parameters_[0].tensor;
    const Tensor norms =
        lars_ ? square_sums(kernels, squares, static_cast<int64_t>(squares.size()), like) : Tensor();
    kernels.momentum_update(spans.data(), static_cast<int64_t>(spans.size()), momentum_, nesterov_,
                            lars_ ? norms.const_data_ptr<double>() : nullptr, kernels.stream(like.device()));
  }

  std::vector<OptimParameter> parameters_;
  std::vector<Tensor> velocity_;
  double momentum_, decay_, trust_;
  bool nesterov_;
  const bool lars_;
};

class AdamW : public Optimizer {
 public:
  AdamW(const Value& settings, const std::vector<OptimParameter>& parameters)
      : parameters_(parameters),
        first_(zeros_like_parameters(parameters)),
        second_(zeros_like_parameters(parameters)),
        updates_(at::zeros({static_cast<int64_t>(parameters.size())}, at::TensorOptions().dtype(at::kLong))) {
    check_keys(settings, {"name", "betas", "eps", "weightDecay"}, "optimizer");
    decay_ = number_in(settings, "weightDecay", 0.01, 0, 1e3);
    eps_ = number_in(settings, "eps", 1e-8, 0, 1);
    if (settings["betas"].is_null()) return;
    const auto& betas = settings["betas"].as_array("optimizer.betas");
    if (betas.size() != 2) throw_invalid("expected 2 numbers for optimizer.betas");
    beta1_ = betas[0].as_number("optimizer.betas[0]");
    beta2_ = betas[1].as_number("optimizer.betas[1]");
    if (!(beta1_ >= 0 && beta1_ < 1 && beta2_ >= 0 && beta2_ < 1))
      throw_invalid("expected optimizer.betas from 0 to below 1");
  }

  void step(double lr, const std::vector<double>& scales) override {
    const std::vector<Due> due = due_updates(parameters_, lr, scales);
    const DeviceKernels* const kernels = kernels_of(parameters_);
    int64_t* updates = updates_.mutable_data_ptr<int64_t>();
    std::vector<AdamSpan> spans;
    for (const Due& d : due) {
      const OptimParameter& p = parameters_[d.index];
      const double t = static_cast<double>(++updates[d.index]);
      const AdamStep step{d.rate,
                          beta1_,
                          beta2_,
                          eps_,
                          p.decays ? decay_ * p.decay : 0,
                          d.scale,
                          1 - std::pow(beta1_, t),
                          1 - std::pow(beta2_, t)};
      if (kernels)
        spans.push_back(span_of(d, step));
      else
        adamw_update(p.tensor, first_[d.index], second_[d.index], d.gradient, step);
    }
    if (spans.empty()) return;
    kernels->adam_update(spans.data(), static_cast<int64_t>(spans.size()),
                         {static_cast<float>(beta1_), static_cast<float>(beta2_), static_cast<float>(eps_)},
                         kernels->stream(parameters_[0].tensor.device()));
  }

  State state() override {
    State out{{"updates", updates_}};
    for (size_t i = 0; i < parameters_.size(); ++i) {
      out.emplace_back(parameters_[i].name + "/first", first_[i]);
      out.emplace_back(parameters_[i].name + "/second", second_[i]);
    }
    return out;
  }

 private:
  AdamSpan span_of(const Due& d, const AdamStep& s) const {
    const Tensor& p = parameters_[d.index].tensor;
    return {data(p),
            data(first_[d.index]),
            data(second_[d.index]),
            d.gradient.const_data_ptr<float>(),
            p.numel(),
            static_cast<float>(s.scale),
            static_cast<float>(1 - s.lr * s.decay),
            static_cast<float>(s.lr / s.correction1),
            static_cast<float>(1 / std::sqrt(s.correction2))};
  }

  std::vector<OptimParameter> parameters_;
  std::vector<Tensor> first_, second_;
  Tensor updates_;  // of each parameter; a network may get its first gradient late in a run
  double beta1_ = 0.9, beta2_ = 0.999, eps_, decay_;
};

}  // namespace

std::unique_ptr<Optimizer> create_optimizer(const Value& settings,
                                            const std::vector<OptimParameter>& parameters) {
  const std::string name = settings.get_string("name", "sgd");
  if (name == "sgd" || name == "lars") {
    return std::make_unique<Momentum>(settings, parameters, name == "lars");
  }
  if (name == "adamw") return std::make_unique<AdamW>(settings, parameters);
  throw_invalid("unknown optimizer.name \"" + name + "\"; expected one of: sgd, lars, adamw");
}

Tensor gradient_squares(const std::vector<OptimParameter>& parameters) {
  size_t objectives = 0;
  for (const auto& p : parameters) objectives = std::max(objectives, p.objective + 1);
  std::vector<Tensor> gradients;  // aligned, as long as the kernel reads them
  std::vector<SquareSpan> spans;
  for (const auto& p : parameters) {
    const Tensor g = aligned_gradient(p);
    if (!g.defined()) continue;
    gradients.push_back(g);
    spans.push_back({g.const_data_ptr<float>(), nullptr, g.numel(), 1, 0, static_cast<int64_t>(p.objective)});
  }
  if (const DeviceKernels* kernels = kernels_of(parameters))
    return square_sums(*kernels, spans, static_cast<int64_t>(objectives), parameters[0].tensor);
  const Tensor sums = at::zeros({static_cast<int64_t>(objectives)}, at::kDouble);
  for (size_t i = 0; i < spans.size(); ++i)
    sums.mutable_data_ptr<double>()[spans[i].into] += square_sum(gradients[i], 1, {}, 0);
  return sums;
}

}  // namespace vssl::engine
