// Convolution with a weight gradient that is right in bf16.
//
// libtorch computes bf16 convolutions on the CPU with oneDNN. Its weight gradient reads and writes outside
// its buffers when the output is small along an axis. With libtorch 2.13 on AVX-512 with bf16, over kernels
// 1x3x3, 3x1x1, 3x3x3 and 3x7x7 and strides 1 and 2, the result was noise or infinite, and at times the heap
// was damaged, when the output had 2 frames and a kernel longer than 1 in time, or was smaller in height or
// width than 3 (than the kernel, for 7x7). Forward and input gradient are right. R3D-18 on 16 frames has 2
// frames in its last stage, and networks for small clips have all of these shapes.
//
// So small outputs take another way, one temporal tap after the other. Where the output is a small picture,
// the patches that the tap sees become the rows of a matrix, and the gradient is one matrix product with the
// output gradient (which skips the frames that a tap sees only as padding). Where it is small in time alone,
// the tap is a convolution of pictures, which the library computes rightly. The rule in needs_own_way leaves
// a margin; the engine's tests compare every convolution of every model with fp32, and self_test() does so
// for a few shapes on the user's machine.
#include "conv.h"

#include <cmath>
#include <mutex>
#include <tuple>

#include "../../common/ending.h"
#include "../../common/memory.h"
#include "few_channels.h"
#include "first_order.h"
#include "gradient_scale.h"
#include "new_calls.h"
#include "wide_products.h"
#include "winograd_conv.h"

namespace vssl::engine {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Outputs of fewer pixels go by patches, whose matrix is then small; of more, tap by tap. Seen on two cores:
// 7 x 7 by patches 1.3 to 2 times as fast, 8 x 8 tap by tap 1.3 times, 32 x 32 tap by tap 9 times.
constexpr int64_t kFewPixels = 64;

std::vector<int64_t> list(const Triple& t) { return {t[0], t[1], t[2]}; }

bool is_small_picture(const Tensor& grad_output, const Tensor& weight) {
  return grad_output.size(3) < std::max<int64_t>(4, weight.size(3)) ||
         grad_output.size(4) < std::max<int64_t>(4, weight.size(4));
}

bool needs_own_way(const Tensor& grad_output, const Tensor& weight) {
  const bool pointwise = weight.size(2) == 1 && weight.size(3) == 1 && weight.size(4) == 1;
  if (!grad_output.is_cpu() || grad_output.scalar_type() == at::kFloat || pointwise) return false;
  return grad_output.size(2) < 4 || is_small_picture(grad_output, weight);
}

// Output frames [begin, end) for which a temporal tap meets a real input frame: 0 <= frame * stride + tap -
// padding < frames.
struct TapFrames {
  int64_t begin, end;
};

TapFrames frames_of_tap(int64_t tap, int64_t output, int64_t input, int64_t stride, int64_t padding) {
  const int64_t first = padding - tap, last = input - 1 + padding - tap;
  return {first <= 0 ? 0 : (first + stride - 1) / stride, last < 0 ? 0 : std::min(output, last / stride + 1)};
}

// Rows of patches: (n t h w, kH kW C), for output frames [t0, t1) and temporal tap `tap`, from the padded
// input (N, T, H, W, C).
Tensor patches(const Tensor& padded, int64_t tap, int64_t t0, int64_t t1, int64_t h, int64_t w,
               const Tensor& weight, Triple stride) {
  const auto s = padded.strides();
  const int64_t n = padded.size(0), c = padded.size(4), kh = weight.size(3), kw = weight.size(4);
  return padded
      .as_strided({n, t1 - t0, h, w, kh, kw, c},
                  {s[0], s[1] * stride[0], s[2] * stride[1], s[3] * stride[2], s[2], s[3], s[4]},
                  padded.storage_offset() + (t0 * stride[0] + tap) * s[1])
      .reshape({n * (t1 - t0) * h * w, kh * kw * c});
}

Tensor weight_gradient_by_patches(const Tensor& grad_output, const Tensor& input, const Tensor& weight,
                                  Triple stride, Triple padding) {
  const int64_t out = weight.size(0), in = weight.size(1), kt = weight.size(2), kh = weight.size(3),
                kw = weight.size(4);
  const int64_t t = grad_output.size(2), h = grad_output.size(3), w = grad_output.size(4),
                frames = input.size(2);
  const Tensor g = grad_output.permute({0, 2, 3, 4, 1}).contiguous();  // (N, T, H, W, out)
  const Tensor padded =
      at::constant_pad_nd(input.permute({0, 2, 3, 4, 1}).contiguous(),
                          {0, 0, padding[2], padding[2], padding[1], padding[1], padding[0], padding[0]})
          .contiguous();
  Tensor gradient = at::zeros({out, kt, kh * kw * in}, g.options());
  for (int64_t tap = 0; tap < kt; ++tap) {
    const auto [t0, t1] = frames_of_tap(tap, t, frames, stride[0], padding[0]);
    if (t1 <= t0) continue;
    const Tensor rows = g.slice(1, t0, t1).reshape({-1, out});
    gradient.select(1, tap).copy_(at::mm(rows.t(), patches(padded, tap, t0, t1, h, w, weight, stride)));
  }
  return gradient.view({out, kt, kh, kw, in}).permute({0, 4, 1, 2, 3});
}

// Frames from, from + step, ... (`count` of them) of clips (N, C, T, H, W) as pictures (N count, C, H, W).
Tensor pictures(const Tensor& clips, int64_t from, int64_t step, int64_t count) {
  return clips.permute({0, 2, 3, 4, 1})
      .slice(1, from, from + (count - 1) * step + 1, step)
      .reshape({clips.size(0) * count, clips.size(3), clips.size(4), clips.size(1)})
      .permute({0, 3, 1, 2});
}

// Each temporal tap as a convolution of pictures, by the library.
Tensor weight_gradient_by_taps(const Tensor& grad_output, const Tensor& input, const Tensor& weight,
                               Triple stride, Triple padding) {
  const Tensor gradient = at::zeros(weight.sizes(), weight.options().dtype(grad_output.scalar_type()));
  for (int64_t tap = 0; tap < weight.size(2); ++tap) {
    const auto [t0, t1] = frames_of_tap(tap, grad_output.size(2), input.size(2), stride[0], padding[0]);
    if (t1 <= t0) continue;
    const Tensor x = pictures(input, t0 * stride[0] + tap - padding[0], stride[0], t1 - t0);
    const Tensor g = pictures(grad_output, t0, 1, t1 - t0);
    const Tensor w = weight.select(2, tap).to(g.scalar_type());
    gradient.select(2, tap).copy_(std::get<1>(
        at::convolution_backward(g, x, w, at::OptionalIntArrayRef(), {stride[1], stride[2]},
                                 {padding[1], padding[2]}, {1, 1}, false, {0, 0}, 1, {false, true, false})));
  }
  return gradient;
}

Tensor weight_gradient_own_way(const Tensor& grad_output, const Tensor& input, const Tensor& weight,
                               Triple stride, Triple padding) {
  const bool few = grad_output.size(3) * grad_output.size(4) < kFewPixels;
  return few || is_small_picture(grad_output, weight)
             ? weight_gradient_by_patches(grad_output, input, weight, stride, padding)
             : weight_gradient_by_taps(grad_output, input, weight, stride, padding);
}

std::tuple<Tensor, Tensor> library_gradients(const Tensor& grad_output, const Tensor& input,
                                             const Tensor& weight, Triple stride, Triple padding,
                                             bool want_input, bool want_weight) {
  auto [grad_input, grad_weight, unused] = at::convolution_backward(
      grad_output, input, weight, at::OptionalIntArrayRef(), list(stride), list(padding), {1, 1, 1}, false,
      {0, 0, 0}, 1, {want_input, want_weight, false});
  return {grad_input, grad_weight};
}

// How a convolution is made, and from what.
struct Ways {
  Tensor weight;                               // in the type of x, for the library
  const std::vector<uint32_t>* few = nullptr;  // packed for pictures
  Tensor winograd, winograd_to_input;          // packed for those, forward and backward
};

struct ConvFunction : torch::autograd::Function<ConvFunction> {
  // weight and bias are the fp32 leaves that receive the gradients.
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& weight,
                        std::optional<Tensor> bias, const Ways& ways, std::vector<int64_t> stride,
                        std::vector<int64_t> padding) {
    ctx->save_for_backward({x, ways.weight, ways.winograd_to_input});
    ctx->saved_data["stride"] = stride;
    ctx->saved_data["padding"] = padding;
    ctx->saved_data["bias"] = bias.has_value();
    const Triple s{stride[0], stride[1], stride[2]}, p{padding[0], padding[1], padding[2]};
    if (ways.few)
      return few_channels_conv(x, *ways.few, weight.sizes(), bias.value_or(Tensor()), s, p, false);
    if (ways.winograd.defined())
      return winograd_conv(x, ways.winograd, weight.sizes(), bias.value_or(Tensor()), p, false, {});
    if (bias) bias = widened(bias->detach().to(x.scalar_type()));
    const Tensor input = widened(x), kernel = widened(ways.weight);
    const NewCall call(NewCall::kForward, {input, kernel}, {stride, padding, {bias.has_value()}});
    return at::conv3d(input, kernel, bias, stride, padding).to(x.scalar_type());
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    refuse_second_order("the 3-D convolution");
    ending::check();
    const auto saved = ctx->get_saved_variables();
    const Tensor x = widened(saved[0]), w = widened(saved[1]);
    const Tensor& to_input = saved[2];
    const at::ScalarType type = saved[0].scalar_type();
    const auto s = ctx->saved_data["stride"].toIntVector(), p = ctx->saved_data["padding"].toIntVector();
    const Triple stride{s[0], s[1], s[2]}, padding{p[0], p[1], p[2]};
    const bool want_x = ctx->needs_input_grad(0), want_w = ctx->needs_input_grad(1);
    // A gradient that is expanded from a mean has no layout of its own; oneDNN wants the layout of the input.
    const bool channels_last = x.is_contiguous(at::MemoryFormat::ChannelsLast3d);
    const Tensor g = widened(grads[0].to(type).contiguous(channels_last ? at::MemoryFormat::ChannelsLast3d
                                                                        : at::MemoryFormat::Contiguous));
    const InputGradient back(w.sizes(), padding);
    const bool winograd_x =
        want_x && to_input.defined() && has_winograd_conv(g, back.weight_sizes, {1, 1, 1}, back.padding);
    const bool winograd_w = want_w && has_winograd_conv(x, w.sizes(), stride, padding);
    const bool own = want_w && !winograd_w && needs_own_way(g, w);
    Tensor grad_x, grad_w;
    {
      const bool asks_x = want_x && !winograd_x, asks_w = want_w && !winograd_w;
      const NewCall call(NewCall::kBackward, {g, x, w}, {s, p, {asks_x, asks_w}});
      if (asks_x || (asks_w && !own))
        std::tie(grad_x, grad_w) = library_gradients(g, x, w, stride, padding, asks_x, asks_w && !own);
      if (own) grad_w = weight_gradient_own_way(g, x, w, stride, padding);
    }
    if (winograd_x) grad_x = winograd_conv(g, to_input, back.weight_sizes, {}, back.padding, false, {});
    if (winograd_w) grad_w = winograd_weight_gradient(g, x, w.sizes(), padding);
    if (want_x) grad_x = grad_x.to(type);
    if (want_w) grad_w = grad_w.to(at::kFloat);
    Tensor grad_b;
    if (ctx->saved_data["bias"].toBool()) grad_b = g.sum({0, 2, 3, 4}, false, at::kFloat);
    return {grad_x, grad_w, grad_b, Tensor(), Tensor(), Tensor()};
  }
};

}  // namespace

Tensor conv3d_weight_gradient(const Tensor& grad_output, const Tensor& input, const Tensor& weight,
                              Triple stride, Triple padding) {
  const Tensor g = widened(grad_output), x = widened(input), w = widened(weight);
  if (needs_own_way(g, w)) return weight_gradient_own_way(g, x, w, stride, padding);
  return std::get<1>(library_gradients(g, x, w, stride, padding, false, true));
}

namespace {

// Parts of a batch pass a layer at once (parts.h), and the first to come makes the copy.
std::mutex shadows;

}  // namespace

Conv3d::Conv3d(const Scope& scope, int64_t in, int64_t out, Triple kernel, Triple stride, Triple padding,
               bool bias)
    : weights_(&scope.weights()), stride_(stride), padding_(padding) {
  const int64_t fan_out = out * kernel[0] * kernel[1] * kernel[2];
  weight_ = scope.normal("weight", {out, in, kernel[0], kernel[1], kernel[2]},
                         std::sqrt(2.0 / static_cast<double>(fan_out)));
  if (bias) bias_ = scope.constant("bias", {out}, 0);
}

void Conv3d::check(const Tensor& x) const {
  if (!x.is_cpu()) return;
  // Clips of any size come from callers, and the first layer makes the most of them.
  double bytes = static_cast<double>(x.size(0)) * static_cast<double>(weight_.size(0)) *
                 static_cast<double>(x.element_size());
  for (int64_t d = 0; d < 3; ++d)
    bytes *= static_cast<double>((x.size(d + 2) + 2 * padding_[d] - weight_.size(d + 2)) / stride_[d] + 1);
  check_memory(bytes, "a convolution of clips " + shape_text(x.sizes()));
}

Tensor Conv3d::forward(const Tensor& x, const Pass& pass) const {
  ending::check();
  if (pass.record) {
    const auto k = weight_.sizes(), i = x.sizes();
    pass.record->push_back(
        {{i[0], i[1], i[2], i[3], i[4]}, k[0], {k[2], k[3], k[4]}, stride_, padding_, bias_.defined()});
  }
  check(x);
  const bool to_input = at::GradMode::is_enabled() && x.requires_grad();
  Ways ways;
  {
    const std::lock_guard<std::mutex> lock(shadows);
    const at::NoGradGuard no_grad;
    if (shadow_.version != weights_->version() || shadow_.weight.scalar_type() != pass.compute)
      shadow_ = {weights_->version(), weight_.detach().to(pass.compute), {}, {}, {}};
    ways.weight = shadow_.weight;
    if (has_few_channels(x)) {
      if (shadow_.few.empty()) shadow_.few = pack_few_channels(weight_.detach());
      ways.few = &shadow_.few;
    } else if (has_winograd_conv(x, weight_.sizes(), stride_, padding_)) {
      if (!shadow_.winograd.defined()) shadow_.winograd = pack_winograd_conv(weight_.detach());
      ways.winograd = shadow_.winograd;
      if (to_input) {
        if (!shadow_.winograd_to_input.defined())
          shadow_.winograd_to_input = pack_winograd_conv(weight_.detach(), true);
        ways.winograd_to_input = shadow_.winograd_to_input;
      }
    }
  }
  return ConvFunction::apply(x, entering(weight_, pass), given(entering(bias_, pass)), ways, list(stride_),
                             list(padding_));
}

}  // namespace vssl::engine
