#include "winograd_conv.h"

#include <ATen/Parallel.h>

#include <utility>

#include "../../kernels/winograd.h"

namespace vssl::engine {

namespace {

constexpr int64_t kLeastChannels = 16;  // a vector of them

WinogradConv shape_of(at::IntArrayRef x, at::IntArrayRef weight, Triple padding, bool relu) {
  return {x[0], x[2], x[3], x[4], weight[1], weight[0], weight[2], {padding[0], padding[1], padding[2]},
          relu};
}

// Squares of 2 x 2 outputs take 16 products; a row or a column alone is better off with 9 for each output.
bool fills_squares(int64_t height, int64_t width) {
  return 16 * ((height + 1) / 2) * ((width + 1) / 2) * 3 <= 9 * height * width * 2;
}

}  // namespace

bool has_winograd_conv(const Tensor& x, at::IntArrayRef weight, Triple stride, Triple padding) {
  if (!x.is_cpu() || x.scalar_type() != at::kBFloat16 || !x.is_contiguous(at::MemoryFormat::ChannelsLast3d))
    return false;
  if (weight[3] != 3 || weight[4] != 3 || stride != Triple{1, 1, 1}) return false;
  for (int axis = 0; axis < 3; ++axis)
    if (padding[axis] >= weight[axis + 2]) return false;
  if (weight[0] < kLeastChannels || weight[1] < kLeastChannels || !has_winograd()) return false;
  const WinogradConv s = shape_of(x.sizes(), weight, padding, false);
  return fills_squares(s.output(1), s.output(2));
}

InputGradient::InputGradient(at::IntArrayRef weight, Triple its_padding)
    : weight_sizes{weight[1], weight[0], weight[2], weight[3], weight[4]} {
  for (int axis = 0; axis < 3; ++axis) padding[axis] = weight[axis + 2] - 1 - its_padding[axis];
}

Tensor pack_winograd_conv(const Tensor& weight, bool gradient) {
  const Tensor values = weight.to(at::kFloat).contiguous();
  const auto sizes = values.sizes();
  // Packing needs no clip: any one does.
  WinogradConv s{1, sizes[2], 3, 3, sizes[1], sizes[0], sizes[2], {0, 0, 0}, false};
  if (gradient) std::swap(s.channels, s.filters);
  const Tensor packed = at::empty({packed_winograd_size(s)}, at::kInt);
  pack_winograd(reinterpret_cast<uint32_t*>(packed.mutable_data_ptr<int32_t>()),
                values.const_data_ptr<float>(), s, gradient);
  return packed;
}

Tensor winograd_conv(const Tensor& x, const Tensor& packed, at::IntArrayRef weight_sizes, const Tensor& bias,
                     Triple padding, bool relu, const Tensor& residual) {
  const WinogradConv s = shape_of(x.sizes(), weight_sizes, padding, relu);
  const auto layout = at::MemoryFormat::ChannelsLast3d;
  const Tensor y = at::empty({s.clips, s.filters, s.output(0), s.output(1), s.output(2)},
                             x.options().memory_format(layout));
  const Tensor added = bias.defined() ? bias.to(at::kFloat).contiguous() : at::zeros({s.filters}, at::kFloat);
  const Tensor beside = residual.defined() ? residual.to(x.scalar_type()).contiguous(layout) : residual;
  vssl::winograd_conv(
      static_cast<uint16_t*>(y.mutable_data_ptr()), static_cast<const uint16_t*>(x.const_data_ptr()),
      reinterpret_cast<const uint32_t*>(packed.const_data_ptr<int32_t>()), added.const_data_ptr<float>(),
      beside.defined() ? static_cast<const uint16_t*>(beside.const_data_ptr()) : nullptr, s,
      at::get_num_threads());
  return y;
}

Tensor winograd_weight_gradient(const Tensor& grad_output, const Tensor& x, at::IntArrayRef weight_sizes,
                                Triple padding) {
  const WinogradConv s = shape_of(x.sizes(), weight_sizes, padding, false);
  const Tensor gradient =
      at::empty(weight_sizes, x.options().dtype(at::kFloat).memory_format(at::MemoryFormat::Contiguous));
  vssl::winograd_weight_gradient(
      gradient.mutable_data_ptr<float>(), static_cast<const uint16_t*>(x.const_data_ptr()),
      static_cast<const uint16_t*>(grad_output.const_data_ptr()), s, at::get_num_threads());
  return gradient;
}

}  // namespace vssl::engine
