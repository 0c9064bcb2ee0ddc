// The inner loops of the augmentation pass over rows of floats, once per instruction set. Every variant does
// the same operations in the same order without fused multiply-adds, so that all give equal bits.
#pragma once

#include <cstdint>

namespace vssl::video {

// r = y' + rv v', g = y' + gu u' + gv v', b = y' + bu u', with y' = ys y + yo, u' = u - 128, v' = v - 128.
struct YuvCoefficients {
  float ys, yo, rv, gu, gv, bu;
};

struct RowOps {
  const char* isa;
  // out = a + (b - a) w; a and b are readable, out is writable, up to the next multiple of 16
  void (*lerp_rows)(float* out, const uint8_t* a, const uint8_t* b, float w, int n);
  // out[i] = row[index[i]] + (row[index[i] + 1] - row[index[i]]) weight[i]. `span`: for every block of 16
  // outputs that starts at a multiple of 16, indices differ by at most this much; row has 32 readable floats
  // past its end.
  void (*resample)(float* out, const float* row, const int32_t* index, const float* weight, int span, int n);
  void (*yuv_to_rgb)(float* r, float* g, float* b, const float* y, const float* u, const float* v,
                     const YuvCoefficients& c, int n);  // clipped to [0, 1]
  // x = clip(x scale + offset)
  void (*affine)(float* x, float scale, float offset, int n);
  // x = clip((x - mean) value + mean)
  void (*contrast)(float* x, float mean, float value, int n);
  // S of HSV times value, clipped
  void (*saturation)(float* r, float* g, float* b, float value, int n);
  // H of HSV plus `sixths` / 6 of a turn, -6 <= sixths <= 6
  void (*hue)(float* r, float* g, float* b, float sixths, int n);
  // r = 0.299 r + 0.587 g + 0.114 b
  void (*luma)(float* r, const float* g, const float* b, int n);
  // lanes[i % 16] += x[i]
  void (*sum_lanes)(float* lanes, const float* x, int n);
  // out[i] = taps[0] x[i] + sum_k taps[k] (x[i - k] + x[i + k]); x has `radius` readable floats on either
  // side
  void (*blur_row)(float* out, const float* x, const float* taps, int radius, int n);
  // out[i] = taps[0] rows[radius][i] + sum_k taps[k] (rows[radius - k][i] + rows[radius + k][i])
  void (*blur_column)(float* out, const float* const* rows, const float* taps, int radius, int n);
  // x >= threshold becomes 1 - x
  void (*solarize)(float* x, float threshold, int n);
  // out[3 i + c] = x_c[i] scale[c] + offset[c]
  void (*store)(float* out, const float* r, const float* g, const float* b, const float* scale,
                const float* offset, int n);
  void (*add)(float* sum, const float* x, int n);
  // b = round(255 x), between 0 and 255; sum += b, moved += |b - last|, last = b
  void (*track)(int32_t* sum, int32_t* moved, int32_t* last, const float* x, int n);
  // x = y where keeps is 0
  void (*lay)(float* x, const float* y, const int32_t* keeps, int n);
  // out = (a - b scale_b) scale
  void (*subtract)(float* out, const float* a, const float* b, float scale_b, const float* scale, int n);
};

// The variant of the kernels' selected_isa(): the best for this CPU, or the one that VSSL_ISA names.
const RowOps& row_ops();

// A variant by name, null when this CPU or build does not have it.
const RowOps* row_ops_named(const char* isa);

}  // namespace vssl::video
