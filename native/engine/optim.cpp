#include "optim.h"

#include <cmath>

#include "../common/memory.h"
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
  Tensor scratch;  // see optim_kernels.h
};

// All that can fail comes here, before the first parameter moves: memory for gradients in another layout and
// for the arithmetic of other devices than the CPU. The scratch is the same memory for all.
std::vector<Due> due_updates(const std::vector<OptimParameter>& parameters, double lr,
                             const std::vector<double>& scales) {
  std::vector<Due> due;
  const OptimParameter* largest = nullptr;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const OptimParameter& p = parameters[i];
    const Tensor g = aligned_gradient(p);
    if (!g.defined()) continue;
    due.push_back({i, g, scales.at(p.objective), lr * p.rate, {}});
    if (!p.tensor.is_cpu() && (!largest || p.tensor.numel() > largest->tensor.numel())) largest = &p;
  }
  if (!largest) return due;
  const Tensor room = at::empty({largest->tensor.numel()}, largest->tensor.options().requires_grad(false));
  for (Due& d : due) {
    const Tensor& p = parameters[d.index].tensor;
    d.scratch = room.as_strided(p.sizes(), p.strides());
  }
  return due;
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
    if (lars_) trust(due);
    for (const Due& d : due) {
      const OptimParameter& p = parameters_[d.index];
      (lars_ ? lars_update : sgd_update)(
          p.tensor, velocity_[d.index], d.gradient,
          {d.rate, momentum_, p.decays ? decay_ * p.decay : 0, d.scale, nesterov_}, d.scratch);
    }
  }

  State state() override {
    State out;
    for (size_t i = 0; i < parameters_.size(); ++i)
      out.emplace_back(parameters_[i].name + "/momentum", velocity_[i]);
    return out;
  }

 private:
  void trust(std::vector<Due>& due) const {
    for (Due& d : due) {
      const OptimParameter& p = parameters_[d.index];
      if (!p.decays) continue;
      const double weight = std::sqrt(square_sum(p.tensor, 1, {}, 0));
      const double gradient = std::sqrt(square_sum(d.gradient, d.scale, p.tensor, decay_ * p.decay));
      if (weight > 0 && gradient > 0) d.rate *= trust_ * weight / gradient;
    }
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
    int64_t* updates = updates_.mutable_data_ptr<int64_t>();
    for (const Due& d : due_updates(parameters_, lr, scales)) {
      const OptimParameter& p = parameters_[d.index];
      const double t = static_cast<double>(++updates[d.index]);
      adamw_update(p.tensor, first_[d.index], second_[d.index], d.gradient,
                   {d.rate, beta1_, beta2_, eps_, p.decays ? decay_ * p.decay : 0, d.scale,
                    1 - std::pow(beta1_, t), 1 - std::pow(beta2_, t)},
                   d.scratch);
    }
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

std::vector<double> gradient_norms(const std::vector<OptimParameter>& parameters) {
  std::vector<double> norms;
  for (const auto& p : parameters) {
    if (p.objective >= norms.size()) norms.resize(p.objective + 1);
    if (const Tensor g = aligned_gradient(p); g.defined()) norms[p.objective] += square_sum(g, 1, {}, 0);
  }
  for (double& norm : norms) norm = std::sqrt(norm);
  return norms;
}

}  // namespace vssl::engine
