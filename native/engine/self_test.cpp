// A quick look at what this libtorch does on this device: the bf16 convolution gradients that training relies
// on, against fp32, at shapes where libraries have been wrong. The engine's tests cover every convolution of
// every model.
#include <sstream>

#include "errors.h"
#include "layers/layers.h"
#include "random.h"
#include "runtime.h"

namespace vssl::engine {

namespace {

struct Case {
  int64_t n, in, out, t, h, w;
  Triple kernel, stride, padding;
};

constexpr Case kCases[] = {
    {2, 32, 32, 2, 7, 7, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}},   // last stage of R3D-18: 2 frames
    {2, 16, 32, 4, 8, 8, {3, 3, 3}, {2, 2, 2}, {1, 1, 1}},   // small clips
    {3, 16, 16, 1, 4, 4, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}},   //
    {2, 16, 24, 2, 2, 2, {3, 3, 3}, {2, 2, 2}, {1, 1, 1}},   // one value left
    {2, 16, 16, 4, 7, 7, {1, 3, 3}, {1, 2, 2}, {0, 1, 1}},   // R(2+1)D and R3D-50
    {2, 16, 16, 2, 7, 7, {3, 1, 1}, {1, 1, 1}, {1, 0, 0}},   //
    {4, 16, 16, 2, 9, 9, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}},   // two frames
    {2, 3, 16, 8, 32, 32, {3, 7, 7}, {1, 2, 2}, {1, 3, 3}},  // stems
    {2, 3, 16, 8, 32, 32, {5, 7, 7}, {2, 2, 2}, {2, 3, 3}},  //
    {2, 32, 48, 4, 8, 8, {1, 1, 1}, {1, 2, 2}, {0, 0, 0}},   // shortcuts
};

Tensor noise(at::IntArrayRef sizes, const char* stream) {
  const Tensor out = at::empty(sizes, at::TensorOptions().dtype(at::kFloat));
  const CounterRandom random(1, stream);
  float* p = out.mutable_data_ptr<float>();
  for (int64_t i = 0; i < out.numel(); ++i)
    p[i] = static_cast<float>(random.normal(static_cast<uint64_t>(i)));
  // Values that bf16 holds exactly, so that fp32 and bf16 see the same operands.
  return out.to(at::kBFloat16).to(at::kFloat).contiguous(at::MemoryFormat::ChannelsLast3d);
}

double relative_error(const Tensor& value, const Tensor& truth) {
  return ((value.to(at::kFloat) - truth).norm() / truth.norm()).item<double>();
}

}  // namespace

std::string self_test(const std::string& name) {
  return translated([&] {
    const at::Device device = device_from(name);
    const CallScope scope(false, device);
    std::ostringstream wrong;
    for (const Case& c : kCases) {
      const Tensor x = noise({c.n, c.in, c.t, c.h, c.w}, "x").to(device);
      const Tensor w = noise({c.out, c.in, c.kernel[0], c.kernel[1], c.kernel[2]}, "w").to(device);
      const Tensor y = at::conv3d(x, w, {}, c.stride, c.padding);
      const Tensor g = noise(y.sizes(), "g").to(device);
      const auto bf16 = [](const Tensor& t) { return t.to(at::kBFloat16); };
      const double forward = relative_error(at::conv3d(bf16(x), bf16(w), {}, c.stride, c.padding), y);
      const double weight =
          relative_error(conv3d_weight_gradient(bf16(g), bf16(x), bf16(w), c.stride, c.padding),
                         conv3d_weight_gradient(g, x, w, c.stride, c.padding));
      // bf16 keeps 8 bits: 2^-9 is half a step. Well above that something is broken.
      if (forward < 0.01 && weight < 0.01) continue;
      wrong << (wrong.tellp() > 0 ? "; " : "") << "bf16 conv3d of " << shape_text(x.sizes())
            << " with weight " << shape_text(w.sizes()) << ": relative error " << forward << " forward, "
            << weight << " in the weight gradient";
    }
    return wrong.str();
  });
}

}  // namespace vssl::engine
