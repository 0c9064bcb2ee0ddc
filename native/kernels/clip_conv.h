// The first convolution of a video network: pictures of few channels in, many out. Libraries pad the channels
// to what a vector holds, and multiply mostly zeros; here the values of a kernel's row, which lie side by
// side in channels-last memory, are the depth of the product.
//
//   y[n, t, h, w, f] = bias[f] + sum_{i, j, k, c} weight[f, c, i, j, k] x[n, t s0 + i - p0, h s1 + j - p1, w
//   s2 + k - p2, c]
//
// in bf16 with fp32 sums, or the larger of that and 0; x is 0 outside.
#pragma once

#include <cstdint>
#include <vector>

namespace vssl {

struct ClipConv {
  int64_t clips, frames, height, width, channels, filters;
  int64_t kernel[3], stride[3], padding[3];  ///< time, height, width
  bool relu;

  /// Of the output along an axis (0 time, 1 height, 2 width).
  int64_t output(int axis) const {
    const int64_t size = axis == 0 ? frames : axis == 1 ? height : width;
    return (size + 2 * padding[axis] - kernel[axis]) / stride[axis] + 1;
  }
};

/// Whether the path in use multiplies bf16 natively; clip_conv() is for that alone.
bool has_clip_conv();

/// Weights as the inner loops read them: [block of 32 filters][time, height][pair of values of a
/// row][filter], two bf16 in a word. weight  (filters, channels, time, height, width) of bf16
std::vector<uint32_t> pack_clip_conv(const uint16_t* weight, const ClipConv& shape);

/// out     (clips, T', H', W', filters) of bf16; may not overlap the rest
/// x       (clips, frames, height, width, channels) of bf16
/// packed  from pack_clip_conv() for the same kernel, channels and filters
/// bias    filters
/// threads: upper bound, 0 one per physical core; does not change a bit.
/// Throws vssl::Error (ERR_VSSL_INVALID_ARGUMENT) for sizes below 1, an empty output, or more than 64
/// channels.
void clip_conv(uint16_t* out, const uint16_t* x, const uint32_t* packed, const float* bias,
               const ClipConv& shape, int threads);

}  // namespace vssl
