// Convolutions of 3 x 3 pixels: the kernel of kernels/winograd.h over tensors.
#pragma once

#include <array>
#include <cstdint>

#include "pass.h"

namespace vssl::engine {

// Whether the kernel is there for relu(conv(x) + bias + residual), and worth while: bf16, channels-last,
// every pixel, and enough of pixels and channels. Elsewhere libtorch's convolution is used.
bool has_winograd_conv(const Tensor& x, at::IntArrayRef weight_sizes, Triple stride, Triple padding);

// The weight (out, in, kT, 3, 3) as the kernel reads it; `gradient`: for the convolution that leads from the
// gradient of the output to that of x.
Tensor pack_winograd_conv(const Tensor& weight, bool gradient = false);

// relu(conv(x) + bias + residual), or without relu; weight_sizes, stride 1 and padding are those of this
// convolution; bias (out) in fp32 or undefined; residual as the output, or undefined. (N, out, T', H', W'),
// channels-last.
Tensor winograd_conv(const Tensor& x, const Tensor& packed, at::IntArrayRef weight_sizes, const Tensor& bias,
                     Triple padding, bool relu, const Tensor& residual);

// The gradient of the weight, (out, in, kT, 3, 3) in fp32, from that of the output. For what
// has_winograd_conv().
Tensor winograd_weight_gradient(const Tensor& grad_output, const Tensor& x, at::IntArrayRef weight_sizes,
                                Triple padding);

// The convolution from the gradient of an output to that of its input.
struct InputGradient {
  std::array<int64_t, 5> weight_sizes;
  Triple padding;
  InputGradient(at::IntArrayRef weight, Triple its_padding);
};

}  // namespace vssl::engine
