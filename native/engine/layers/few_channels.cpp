#include "few_channels.h"

#include <ATen/Parallel.h>

#include <algorithm>

#include "../../kernels/clip_conv.h"

namespace vssl::engine {

namespace {

constexpr int64_t kFew = 4;  // of more channels libtorch's convolution is as fast

ClipConv shape_of(at::IntArrayRef x, at::IntArrayRef weight, Triple stride, Triple padding, bool relu) {
  ClipConv s{x[0], x[2], x[3], x[4], weight[1], weight[0], {}, {}, {}, relu};
  for (int axis = 0; axis < 3; ++axis) {
    s.kernel[axis] = weight[axis + 2];
    s.stride[axis] = stride[axis];
    s.padding[axis] = padding[axis];
  }
  return s;
}

}  // namespace

bool has_few_channels(const Tensor& x) {
  return x.is_cpu() && x.scalar_type() == at::kBFloat16 && x.size(1) <= kFew && has_clip_conv() &&
         x.is_contiguous(at::MemoryFormat::ChannelsLast3d);
}

std::vector<uint32_t> pack_few_channels(const Tensor& weight) {
  const Tensor rounded = weight.to(at::kBFloat16).contiguous();
  const auto sizes = rounded.sizes();
  // Packing needs no clip: any one does.
  const std::vector<int64_t> least{1, sizes[1], sizes[2], sizes[3], sizes[4]};
  return pack_clip_conv(static_cast<const uint16_t*>(rounded.const_data_ptr()),
                        shape_of(least, sizes, {1, 1, 1}, {0, 0, 0}, false));
}

Tensor few_channels_conv(const Tensor& x, const std::vector<uint32_t>& packed, at::IntArrayRef weight_sizes,
                         const Tensor& bias, Triple stride, Triple padding, bool relu) {
  const ClipConv s = shape_of(x.sizes(), weight_sizes, stride, padding, relu);
  const Tensor y = at::empty({s.clips, s.filters, s.output(0), s.output(1), s.output(2)},
                             x.options().memory_format(at::MemoryFormat::ChannelsLast3d));
  const Tensor added = bias.defined() ? bias.to(at::kFloat).contiguous() : at::zeros({s.filters}, at::kFloat);
  clip_conv(static_cast<uint16_t*>(y.mutable_data_ptr()), static_cast<const uint16_t*>(x.const_data_ptr()),
            packed.data(), added.const_data_ptr<float>(), s, at::get_num_threads());
  return y;
}

}  // namespace vssl::engine
