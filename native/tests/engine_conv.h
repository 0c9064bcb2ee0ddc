// bf16 gradients of every convolution of every model, against fp32.
#pragma once

#include <map>
#include <set>
#include <tuple>

#include "../engine/backbones/video_net.h"
#include "../engine/layers/layers.h"
#include "engine_testing.h"

namespace vssl::engine::testing {

inline Tensor noise(at::IntArrayRef sizes, const std::string& stream) {
  const Tensor out = at::empty(sizes, at::TensorOptions().dtype(at::kFloat));
  const CounterRandom random(11, stream);
  float* p = out.mutable_data_ptr<float>();
  for (int64_t i = 0; i < out.numel(); ++i)
    p[i] = static_cast<float>(random.normal(static_cast<uint64_t>(i)));
  return sizes.size() == 5 ? out.contiguous(at::MemoryFormat::ChannelsLast3d) : out;
}

inline Tensor rounded(const Tensor& t) { return t.to(at::kBFloat16).to(at::kFloat); }

inline double distance(const Tensor& value, const Tensor& truth) {
  const double d = ((value.to(at::kFloat) - truth).norm() / truth.norm().clamp_min(1e-30)).item<double>();
  return std::isnan(d) ? 1e30 : d;
}

struct ConvResult {
  Tensor output, input, weight, bias;
};

// Output and gradients of one convolution through the engine's layer.
inline ConvResult run_conv(const ConvCall& c, at::ScalarType compute, const Tensor& x, const Tensor& w,
                           const Tensor& b, const Tensor& g) {
  Weights weights(Placement{});
  Conv3d conv(Scope(weights, 1), c.input[1], c.out, c.kernel, c.stride, c.padding, c.bias);
  {
    const at::NoGradGuard no_grad;
    weights.entries()[0].tensor.copy_(w);
    if (c.bias) weights.entries()[1].tensor.copy_(b);
    weights.changed();
  }
  Pass pass;
  pass.compute = compute;
  const Tensor input = x.to(compute).detach().clone().requires_grad_();
  const Tensor output = conv.forward(input, pass);
  output.backward(g.to(compute));
  return {output.detach(), input.grad(), weights.entries()[0].tensor.grad(),
          c.bias ? weights.entries()[1].tensor.grad() : Tensor()};
}

// The error of bf16 in each result must be at most twice that of plain rounding: operands rounded to bf16,
// exact arithmetic (fp32), result rounded to bf16.
inline void check_conv(const ConvCall& c) {
  const auto& i = c.input;
  const auto out = [&](int d) { return (i[2 + d] + 2 * c.padding[d] - c.kernel[d]) / c.stride[d] + 1; };
  const Tensor x = noise({i[0], i[1], i[2], i[3], i[4]}, "x");
  const Tensor w = noise({c.out, i[1], c.kernel[0], c.kernel[1], c.kernel[2]}, "w") * 0.1,
               b = noise({c.out}, "b");
  const Tensor g = noise({i[0], c.out, out(0), out(1), out(2)}, "g");
  const ConvResult truth = run_conv(c, at::kFloat, x, w, b, g);
  const ConvResult plain = run_conv(c, at::kFloat, rounded(x), rounded(w), rounded(b), rounded(g));
  const ConvResult bf16 = run_conv(c, at::kBFloat16, x, w, b, g);
  const std::string name = "conv " + shape_text({i[0], i[1], i[2], i[3], i[4]}) + " -> " +
                           std::to_string(c.out) + " kernel " + shape_text(c.kernel) + " stride " +
                           shape_text(c.stride);
  const auto compare = [&](const char* what, Tensor ConvResult::*member) {
    if (!(truth.*member).defined()) return;
    const double limit = 2 * distance(rounded(plain.*member), truth.*member);
    check_at_most(distance(bf16.*member, truth.*member), limit, name + ", " + what + " in bf16");
  };
  compare("output", &ConvResult::output);
  compare("input gradient", &ConvResult::input);
  compare("weight gradient", &ConvResult::weight);
  compare("bias gradient", &ConvResult::bias);
}

struct ModelCase {
  Value spec;
  int64_t clips, frames, side;
};

inline std::vector<ModelCase> model_cases() {
  const auto of = [](const char* arch, double width) {
    return Value(Object{{"arch", arch}, {"width", width}});
  };
  return {
      {of("r3d_18", 1), 1, 16, 112},
      {of("mc3_18", 1), 1, 16, 112},
      {of("r2plus1d_18", 1), 1, 16, 112},
      {of("r3d_34", 1), 1, 16, 112},
      {of("r3d_50", 1), 1, 16, 112},
      {of("r3d_50", 0.25), 2, 8, 64},
      {Value(Object{{"arch", "c3d"}, {"width", 0.5}, {"batchNorm", false}}), 1, 16, 112},
      {of("c3d", 0.25), 2, 8, 64},
      {of("r3d_10", 0.25), 3, 8, 64},
      {of("r3d_18", 0.25), 3, 16, 64},
      {of("r3d_18", 0.25), 3, 8, 32},
      {of("mc3_18", 0.25), 3, 8, 64},
      {of("r2plus1d_18", 0.25), 3, 8, 64},
      {of("r2plus1d_18", 0.25), 2, 4, 16},
      {of("r3d_10", 0.125), 5, 2, 16},
      {of("r3d_10", 0.25), 12, 2, 64},
      {of("r3d_10", 0.25), 6, 3, 64},
      {of("r3d_18", 1), 2, 4, 112},
      {of("r2plus1d_18", 0.5), 3, 2, 56},
      {of("r3d_10", 0.2), 4, 5, 40},
  };
}

inline void test_conv_gradients() {
  std::set<std::vector<int64_t>> seen;
  std::vector<ConvCall> calls;
  {
    const at::NoGradGuard no_grad;
    for (const ModelCase& m : model_cases()) {
      const auto net = create_model(m.spec, 1, Placement{});
      Pass pass;
      pass.compute = at::kBFloat16;
      pass.record = &calls;
      net->embed(noise({m.clips, 3, m.frames, m.side, m.side}, "clips").to(at::kBFloat16), pass);
    }
  }
  for (const ConvCall& c : calls) {
    std::vector<int64_t> key(c.input.begin(), c.input.end());
    key.push_back(c.out);
    for (const Triple& t : {c.kernel, c.stride, c.padding}) key.insert(key.end(), t.begin(), t.end());
    key.push_back(c.bias);
    if (seen.insert(key).second) check_conv(c);
  }
  std::printf("  %zu distinct convolutions\n", seen.size());
}

}  // namespace vssl::engine::testing
