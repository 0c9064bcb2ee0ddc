// Methods outside a session, with all their options, for tests that hold them to their formulas.
#pragma once

#include "../engine/backbones/video_net.h"
#include "../engine/method.h"
#include "engine_testing.h"

namespace vssl::engine::testing {

inline Tensor drawn(at::IntArrayRef sizes, uint64_t seed) {
  const CounterRandom random(seed, "test");
  const Tensor out = at::empty(sizes);
  for (int64_t i = 0; i < out.numel(); ++i)
    out.mutable_data_ptr<float>()[i] = static_cast<float>(random.normal(i));
  return out;
}

// (n, 3, T, H, W) in the layout of a batch's clips.
inline Tensor drawn_clips(at::IntArrayRef sizes, uint64_t seed) {
  return drawn(sizes, seed).contiguous(at::MemoryFormat::ChannelsLast3d);
}

inline std::vector<Tensor> parameters_of(const Weights& weights) {
  std::vector<Tensor> out;
  for (const auto& entry : weights.entries())
    if (entry.trainable) out.push_back(entry.tensor);
  return out;
}

// A method of the tests' small model, and the numbers of its next step.
struct MethodAlone {
  MethodAlone(const std::string& name, const Object& options, uint64_t seed = 3)
      : options(method_options(name, options)), seed(seed) {
    method = create_method(find_method(name), this->options, model, seed, Placement{});
    for (const auto& network : method->networks())
      if (network.role != Role::kTrained)
        for (const Tensor& p : parameters_of(*network.weights)) p.set_requires_grad(false);
  }

  std::map<std::string, double> step(int64_t accumulate = 1) {
    StepContext context = here(accumulate);
    method->step(context);
    return context.losses();
  }
  void commit() { method->commit(here(1)); }
  StepContext here(int64_t accumulate) {
    const int64_t samples = views.empty() ? 0 : views[0].data.size(0);
    return StepContext(views, side, samples, hyper, collectives, false, accumulate, at::kFloat, Placement{});
  }

  bool has(const std::string& name) const {
    for (const auto& found : method->networks())
      if (found.name == name) return true;
    return false;
  }
  Weights& network(const std::string& name) const {
    for (const auto& found : method->networks())
      if (found.name == name) return *found.weights;
    throw Error("ERR_VSSL_TEST", "no network " + name);
  }
  VideoNet& encoder() const { return *method->encoders()[0].second; }
  // Of what the method stores beside its networks; undefined when there is no such tensor.
  Tensor stored(const std::string& name) const {
    for (const auto& [prefix, part] : method->stored())
      for (const auto& [found, tensor] : part->state())
        if (prefix + found == name) return tensor;
    return {};
  }

  Value options, model{Object{{"arch", "r3d_10"}, {"width", 0.125}}}, hyper{Object{}};
  uint64_t seed;
  std::unique_ptr<Method> method;
  std::vector<Rows> views, side;
  SingleProcess collectives;
};

}  // namespace vssl::engine::testing
