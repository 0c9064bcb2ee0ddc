// Convolutions of pictures: the kernel of kernels/clip_conv.h over tensors.
#pragma once

#include <cstdint>
#include <vector>

#include "pass.h"

namespace vssl::engine {

// Whether the kernel is there for this input: bf16 pictures of a few channels, channels-last, on a CPU that
// multiplies them. Elsewhere libtorch's convolution is used.
bool has_few_channels(const Tensor& x);

// The weight (out, in, kT, kH, kW) as the kernel reads it.
std::vector<uint32_t> pack_few_channels(const Tensor& weight);

// relu(conv(x) + bias), or without relu; bias (out) in fp32 or undefined. (N, out, T', H', W'),
// channels-last.
Tensor few_channels_conv(const Tensor& x, const std::vector<uint32_t>& packed, at::IntArrayRef weight_sizes,
                         const Tensor& bias, Triple stride, Triple padding, bool relu);

}  // namespace vssl::engine
