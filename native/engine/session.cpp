// One training run's networks, optimiser and counters, moved forward a step at a time.
#include <chrono>
#include <cmath>
#include <limits>

#include "before_step.h"
#include "collectives/gradient_sum.h"
#include "collectives/process_ranks.h"
#include "device_clips.h"
#include "errors.h"
#include "gradient_scaler.h"
#include "method.h"
#include "optim.h"
#include "runtime.h"
#include "step_graph.h"

namespace vssl::engine {

struct Session::Impl : TakingTurns {
  Placement placement;
  at::ScalarType compute;
  int64_t accumulate;
  std::optional<double> clip_norm;
  std::string name;  // of the method's file, for errors
  std::unique_ptr<Method> method;
  Inputs inputs;
  std::vector<Network> networks;
  std::vector<OptimParameter> parameters;
  std::unique_ptr<Optimizer> optimizer;
  std::unique_ptr<ProcessRanks> ranks;  // null: a single process
  SingleProcess alone;
  Collectives& collectives;
  bool sync_norm, checkpoint = false;
  GradientScaler scaler;
  std::optional<StepGraph> graph;  // where it records its step
  KeptStats stats;
  Tensor steps = at::zeros({}, at::TensorOptions().dtype(at::kLong));

  explicit Impl(const Value& spec)
      : TakingTurns(placement_from(spec).device),
        placement(placement_from(spec)),
        ranks(spec["ranks"].is_null() ? nullptr : std::make_unique<ProcessRanks>(spec["ranks"])),
        collectives(ranks ? static_cast<Collectives&>(*ranks) : alone),
        sync_norm(spec.get_bool("syncNorm", false)) {
    check_keys(spec,
               {"method", "options", "model", "optimizer", "precision", "channelsLast", "accumulate",
                "clipNorm", "seed", "device", "syncNorm", "ranks", "checkpoint", "graph"},
               "session");
    const std::string kept = spec.get_string("checkpoint", "none");
    if (kept != "none" && kept != "stage")
      throw_invalid("unknown checkpoint \"" + kept + "\"; expected none or stage");
    checkpoint = kept == "stage";
    compute = compute_type_from(spec.get_string("precision", "fp32"), placement.device);
    accumulate = int_in(spec, "accumulate", 1, 1, 1 << 20);
    if (!spec["clipNorm"].is_null()) clip_norm = number_in(spec, "clipNorm", 0, 1e-12, 1e12);
    const auto seed = static_cast<uint64_t>(int_in(spec, "seed", 0, 0, int64_t{1} << 53));
    const MethodEntry& entry = find_method(spec["method"].as_string("method"));
    name = entry.file;
    method = create_method(entry, spec["options"], spec["model"], seed, placement);
    inputs = method->inputs();
    inputs.numbers.insert(inputs.numbers.begin(), NumberSpec{"lr", 0, std::numeric_limits<float>::max()});
    networks = method->networks();
    for (const auto& network : networks) {
      for (const auto& entry : network.weights->entries()) {
        if (!entry.trainable) continue;
        // Vectors are biases and BatchNorm's scales and shifts: no decay.
        const double rate = network.rate * (network.rate_of ? network.rate_of(entry.name) : 1);
        if (network.role == Role::kTrained)
          parameters.push_back({network.name + "/" + entry.name, entry.tensor, entry.tensor.dim() > 1,
                                network.objective, rate, network.decay});
        else
          entry.tensor.set_requires_grad(false);
      }
    }
    optimizer = create_optimizer(spec["optimizer"], parameters);
    if (spec.get_bool("graph", false)) set_up_graph();
    count();
  }

  // Of one process on a device; elsewhere a step is taken as ever.
  void set_up_graph() {
    if (!method->repeats())
      throw_invalid("graph is for methods whose step is the same work each time; that of " + name +
                    " draws or decides as it goes");
    if (compute == at::kHalf) throw_invalid("graph is not for precision fp16, whose scale moves");
    const DeviceKernels* const kernels = kernels_of(placement.device);
    if (kernels && !ranks) graph.emplace(*kernels, parameters);
  }

  // But for what the method keeps to itself.
  NamedHandles own_state() {
    NamedHandles out;
    for (const auto& network : networks)
      for (const auto& entry : network.weights->entries())
        out.emplace_back("model/" + network.name + "/" + entry.name, entry.tensor);
    for (const auto& [name, tensor] : optimizer->state()) out.emplace_back("optim/" + name, tensor);
    out.emplace_back("counter/step", steps);
    if (compute == at::kHalf) out.emplace_back("counter/gradientScale", scaler.state);
    return out;
  }

  // Of everything; `stored` is what the method keeps to itself, in the order of method->stored().
  NamedHandles state(const std::vector<NamedHandles>& stored) {
    NamedHandles out = own_state();
    const auto parts = method->stored();
    for (size_t i = 0; i < parts.size(); ++i)
      for (const auto& [name, tensor] : stored[i])
        out.emplace_back("method/" + parts[i].first + name, tensor);
    return out;
  }

  std::vector<NamedHandles> stored_state() {
    std::vector<NamedHandles> out;
    for (const auto& [prefix, part] : method->stored()) out.push_back(part->state());
    return out;
  }

  // What embeds: an encoder or a readout.
  VideoNet& embedder(const std::string& wanted) {
    for (const auto& [name, net] : method->readouts())
      if (name == wanted) return *net;
    return encoder(wanted);
  }

  VideoNet& encoder(const std::string& wanted) {
    const auto encoders = method->encoders();
    for (const auto& [name, net] : encoders)
      if (name == wanted) return *net;
    throw_invalid("unknown encoder \"" + wanted + "\"; this method has: " +
                  names_of(encoders, [](const auto& entry) { return entry.first; }));
  }

  void mark_changed() {
    for (const auto& network : networks) network.weights->changed();
    count();
  }

  void count() {
    MemoryStats now;
    for (const auto& [name, tensor] : own_state()) count_tensor(now, tensor);
    for (const auto& entry : method->stored())
      (placement.device.is_cpu() ? now.host_bytes : now.device_bytes) += entry.second->bytes();
    stats.set(now);
  }

  // Of all ranks the same step, and as many samples.
  void check_together(int64_t samples) {
    if (!ranks) return;
    const Tensor own = at::empty({1, 2}, at::kLong);
    own[0][0].copy_(steps);
    own[0][1].fill_(samples);
    const Tensor all = ranks->all_gather(own);
    if (!all.eq(own).all().item<bool>())
      throw_invalid(
          "ranks take steps together, with as many samples each; their steps done and samples are " +
          rows_text(all));
  }

  static std::string rows_text(const Tensor& rows) {
    std::string text;
    for (int64_t r = 0; r < rows.size(0); ++r)
      text += (r ? ", " : "") + std::to_string(rows[r][0].item<int64_t>()) + " and " +
              std::to_string(rows[r][1].item<int64_t>());
    return text;
  }

  // Rank 0's state becomes that of all.
  void share_state() {
    if (!ranks) return;
    const std::vector<NamedHandles> stored = stored_state();
    for (auto& entry : state(stored)) ranks->broadcast(entry.second);
    restore(stored);
  }

  void restore(const std::vector<NamedHandles>& stored) {
    const auto parts = method->stored();
    for (size_t i = 0; i < parts.size(); ++i) parts[i].second->restore(stored[i]);
    mark_changed();
  }

  StepResult step(const video::Batch& batch, const Value& hyper) {
    const std::vector<Rows> views = borrow(batch.views, placement.device),
                            side = borrow(batch.side, placement.device);
    check_inputs(name, inputs, views, side, batch.samples, hyper);
    const Exchanged before = collectives.exchanged();
    check_together(batch.samples);
    StepContext context(views, side, batch.samples, hyper, collectives, sync_norm, accumulate, compute,
                        placement, checkpoint, compute == at::kHalf ? scaler.scale() : 1);
    const BeforeStep was(networks);
    try {
      const StepResult result = step(context, views, before);
      if (!result.finite) was.restore();
      return result;
    } catch (...) {
      was.restore();
      throw;
    }
  }

  // By the recording; null where the step is to be taken without it. All of its time counts as forward.
  const StepContext* step_recorded(StepContext& context, const std::vector<Rows>& views) {
    const Stopwatch watch(context.times.forward);
    return graph->run(
        views, placement, compute, [this, samples = context.samples](const std::vector<Rows>& placed) {
          for (const auto& network : networks) network.weights->changed();  // nothing made before is read
          for (const auto& p : parameters) Tensor(p.tensor).mutable_grad().reset();
          static const std::vector<Rows> no_rows;
          static const Value no_numbers;
          auto own = std::make_unique<StepContext>(placed, no_rows, samples, no_numbers, alone, sync_norm,
                                                   accumulate, compute, placement, checkpoint, 1, false);
          method->step(*own);
          return own;
        });
  }

  StepResult step(StepContext& context, const std::vector<Rows>& views, const Exchanged& before) {
    const StepContext* const recorded = graph ? step_recorded(context, views) : nullptr;
    if (!recorded) method->step(context);

    StepResult result;
    const Stopwatch watch(result.optimizer_seconds);
    if (ranks) {
      std::vector<Tensor> trained;
      for (const auto& p : parameters) trained.push_back(p.tensor);
      sum_gradients(trained, *ranks);
    }
    const std::vector<double> norms =
        recorded ? fetch_numbers(result, *recorded, graph->reported(), graph->squares())
                 : fetch_numbers(result, context, context.reported(), gradient_squares(parameters));
    result.forward_seconds = context.times.forward.seconds();
    result.loss_seconds = context.times.loss.seconds();
    result.backward_seconds = context.times.backward.seconds();
    if (ranks) {
      result.loss_exchange_seconds = context.times.loss_exchange;
      result.exchange_seconds = ranks->exchanged().seconds - before.seconds;
      result.exchange_bytes = ranks->exchanged().bytes - before.bytes;
    }
    if (!result.finite) {
      result.overflow = compute == at::kHalf && finite_losses(result) && scaler.shrink();
      if (result.overflow) steps.add_(1);
      return result;
    }

    std::vector<double> scales;
    for (const double norm : norms) scales.push_back(clip_norm && norm > *clip_norm ? *clip_norm / norm : 1);
    optimizer->step(context.number("lr"), scales);
    method->commit(context);
    if (compute == at::kHalf) scaler.went_well();
    steps.add_(1);
    mark_changed();
    return result;
  }

  static bool finite_losses(const StepResult& result) {
    for (const auto& loss : result.losses)
      if (!std::isfinite(loss.second)) return false;
    return true;
  }

  // Losses and gradient norms, all that a step fetches from its device, in one transfer; returns the norms.
  static std::vector<double> fetch_numbers(StepResult& result, const StepContext& context,
                                           const Tensor& reported, const Tensor& squares) {
    const Tensor fetched = at::cat({reported, squares}).to(at::kCPU);
    const double* values = fetched.const_data_ptr<double>();
    result.losses = context.losses(values);
    std::vector<double> norms;
    for (int64_t i = 0; i < squares.numel(); ++i) norms.push_back(std::sqrt(values[reported.numel() + i]));
    result.grad_norm = norms.at(0);
    for (const double norm : norms) {
      if (std::isfinite(norm)) continue;
      result.finite = false;
      result.grad_norm = norm;
    }
    result.finite = result.finite && finite_losses(result);
    return norms;
  }
};

struct Ranks::Impl : TakingTurns {
  ProcessRanks ranks;
  explicit Impl(const Value& spec) : ranks(spec) {}
};

Ranks::Ranks(const Value& spec) {
  translated([&] { impl_ = std::make_unique<Impl>(spec); });
}
Ranks::~Ranks() = default;

std::vector<std::string> Ranks::exchange(const std::string& text) {
  return impl_->turn(false, [&] { return impl_->ranks.exchange(text); });
}

void Ranks::leave(const std::string& reason) { impl_->ranks.leave(reason); }

Session::Session(const Value& spec) {
  begun_on(spec, [&] { impl_ = std::make_unique<Impl>(spec); });
}

Session::~Session() = default;

StepResult Session::step(const video::Batch& batch, const Value& hyper) {
  return impl_->turn(true, [&] { return impl_->step(batch, hyper); });
}

void Session::prepare(const video::Batch& batch) {
  translated([&] {
    const at::Device device = impl_->placement.device;
    if (!kernels_of(device)) return;
    const CallScope scope(false, device);
    for (const auto& view : batch.views)
      if (view.packed) device_clips(view, device);
  });
}

std::vector<NamedTensor> Session::export_state() {
  return impl_->turn(false, [&] {
    std::vector<NamedTensor> out;
    for (const auto& [name, tensor] : impl_->state(impl_->stored_state()))
      out.push_back(to_named(name, tensor));
    return out;
  });
}

void Session::import_state(const std::vector<NamedTensor>& state) {
  impl_->turn(false, [&] {
    const std::vector<NamedHandles> stored = impl_->stored_state();
    load_exact(impl_->state(stored), state);
    impl_->restore(stored);
  });
}

void Session::share_state() {
  impl_->turn(false, [&] { impl_->share_state(); });
}

std::vector<std::string> Session::encoder_names() {
  std::vector<std::string> names;
  for (const auto& entry : impl_->method->encoders()) names.push_back(entry.first);
  return names;
}

std::vector<NamedTensor> Session::export_encoder(const std::string& name) {
  return impl_->turn(false, [&] { return impl_->encoder(name).weights().save(); });
}

void Session::load_weights(const std::string& encoder, const std::vector<NamedTensor>& weights) {
  impl_->turn(false, [&] {
    Weights& target = impl_->encoder(encoder).weights();
    target.load(weights);
    for (const auto& network : impl_->networks)
      if (network.source == &target) network.weights->load(weights);
  });
}

Value Session::encoder_spec(const std::string& name) { return impl_->encoder(name).spec(); }

std::vector<float> Session::embed(const video::Batch& batch, const std::string& view,
                                  const std::string& encoder) {
  return impl_->turn(false, [&] {
    Pass pass;
    pass.compute = impl_->compute;
    const Rows rows = borrow_clips(batch, view, impl_->placement.device);
    const Tensor clips = clips_of(rows, impl_->placement, pass.compute);
    return to_floats(impl_->embedder(encoder).embed(clips, pass));
  });
}

std::vector<MethodInfo> methods() {
  std::vector<MethodInfo> out;
  for (const MethodEntry& entry : method_list()) out.push_back({entry.name, entry.file});
  return out;
}

MemoryStats Session::stats() { return impl_->stats.get(); }

}  // namespace vssl::engine
