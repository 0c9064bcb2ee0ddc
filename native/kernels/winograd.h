// Convolutions of 3 x 3 pixels, and of any number of frames, by Winograd's F(2 x 2, 3 x 3): four outputs from
// 16 products, where the formula has 36.
//
//   y[n, t, h, w, f] = bias[f] + residual[n, t, h, w, f]
//                      + sum_{i, j, k, c} weight[f, c, i, j, k] x[n, t + i - p0, h + j - p1, w + k - p2, c]
//
// or the larger of that and 0; x is 0 outside. For a square of 2 x 2 outputs, from the 4 x 4 pixels d that it
// sees and the filter's 3 x 3 weights g of one frame and channel (Lavin and Gray, Fast Algorithms for
// Convolutional Neural Networks, 2016):
//
//   Y = A' [(G g G') * (B' d B)] A       * entry by entry, summed over frames and channels before A
//
// Both factors are rounded to bf16, and sums are fp32. Rounding costs a little more than in a convolution
// that multiplies bf16 directly: over the whole of R3D-18, features are 0.5 % from those in fp32 instead of
// 0.4 %.
#pragma once

#include <cstdint>

namespace vssl {

struct WinogradConv {
  int64_t clips, frames, height, width, channels, filters;
  int64_t taps;        ///< frames of the kernel
  int64_t padding[3];  ///< time, height, width
  bool relu;

  /// Of the output along an axis (0 time, 1 height, 2 width).
  int64_t output(int axis) const {
    const int64_t size = axis == 0 ? frames : axis == 1 ? height : width;
    return size + 2 * padding[axis] - (axis == 0 ? taps : 3) + 1;
  }
};

/// Whether the path in use multiplies bf16 natively, and has no matrix unit that does it faster;
/// winograd_conv() is for that alone.
bool has_winograd();

/// Words of packed weights.
int64_t packed_winograd_size(const WinogradConv& shape);

/// G g G' as the inner loops read it: [block of 32 filters][of 16 products][tap][pair of channels][filter],
/// two bf16 in a word. `packed` holds packed_winograd_size(shape) words. weight    (filters, channels, taps,
/// 3, 3), or where the convolution is to be the gradient's, from outputs to
///           inputs, (channels, filters, taps, 3, 3) of the one that it belongs to
/// gradient  whether it is; that one's padding is then what its kernel's size less one exceeds `padding` by
void pack_winograd(uint32_t* packed, const float* weight, const WinogradConv& shape, bool gradient);

/// out       (clips, T', H', W', filters) of bf16; may not overlap the rest
/// x         (clips, frames, height, width, channels) of bf16
/// packed    from pack_winograd(), for the same taps, channels and filters
/// bias      filters
/// residual  as out, or null
/// threads: upper bound, 0 one per physical core; neither it nor what else is in the batch changes a bit.
/// Throws vssl::Error (ERR_VSSL_INVALID_ARGUMENT) for sizes below 1 or an empty output, where has_winograd()
/// is false, and as take_memory().
void winograd_conv(uint16_t* out, const uint16_t* x, const uint32_t* packed, const float* bias,
                   const uint16_t* residual, const WinogradConv& shape, int threads);

/// The gradient of the weights, from that of the output: the same identity read the other way,
///
///   dL/dg = G' [(A dL/dY A') * (B' d B)] G
///
/// gradient  (filters, channels, taps, 3, 3)
/// x         as above
/// output    (clips, T', H', W', filters) of bf16, dL/dy
/// threads: as above; the sums over clips are in the same order for any number of them.
/// Throws as winograd_conv().
void winograd_weight_gradient(float* gradient, const uint16_t* x, const uint16_t* output,
                              const WinogradConv& shape, int threads);

}  // namespace vssl
