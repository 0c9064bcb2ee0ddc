// What is done to one pixel of a clip (clips.h), for the CPU and for CUDA. The same operations in the same
// order as the augmentation pass (../video/rows.inl), compiled without fused multiply-adds: equal bits.
#pragma once

#include <cstdint>

#include "clips.h"

#ifdef __CUDACC__
#define VSSL_PIXEL __host__ __device__ inline
#else
#define VSSL_PIXEL inline
#endif

namespace vssl::clip {

struct Rgb {
  float r, g, b;
};

/// What lies at an offset of a block.
template <typename T>
VSSL_PIXEL const T* at(const uint8_t* block, int64_t offset) {
  return reinterpret_cast<const T*>(block + offset);
}
VSSL_PIXEL const ClipHeader& header(const uint8_t* block) { return *at<ClipHeader>(block, 0); }
VSSL_PIXEL const ClipFrame& frame(const uint8_t* block, int t) {
  return at<ClipFrame>(block, header(block).frame_list)[t];
}

VSSL_PIXEL float larger(float a, float b) { return a > b ? a : b; }
VSSL_PIXEL float smaller(float a, float b) { return a < b ? a : b; }
VSSL_PIXEL float clip01(float x) {
  x = x < 0.0f ? 0.0f : x;
  return x > 1.0f ? 1.0f : x;
}

/// Output pixel (y, x) of a plane: first between lines, then between columns.
VSSL_PIXEL float sample(const uint8_t* block, const ClipPlane& plane, int height, int width, int y, int x) {
  const int32_t* const lines = at<int32_t>(block, plane.lines);
  const int32_t* const columns = at<int32_t>(block, plane.columns);
  const float down = reinterpret_cast<const float*>(lines + height)[y];
  const float across = reinterpret_cast<const float*>(columns + width)[x];
  const int above = lines[y], below = above + 1 < plane.height ? above + 1 : plane.height - 1;
  const int left = columns[x], right = left + 1 < plane.width ? left + 1 : plane.width - 1;
  const uint8_t* const upper = block + plane.samples + static_cast<int64_t>(above) * plane.width;
  const uint8_t* const lower = block + plane.samples + static_cast<int64_t>(below) * plane.width;
  const float upper_left = upper[left], upper_right = upper[right];
  const float a = upper_left + (static_cast<float>(lower[left]) - upper_left) * down;
  const float b = upper_right + (static_cast<float>(lower[right]) - upper_right) * down;
  return a + (b - a) * across;
}

VSSL_PIXEL Rgb resized(const uint8_t* block, const ClipFrame& f, int height, int width, int y, int x) {
  const float first = sample(block, f.plane[0], height, width, y, x);
  if (f.colors == ClipColors::kGray) {
    const float gray = clip01(first * f.luma + f.dark);
    return {gray, gray, gray};
  }
  const float second = sample(block, f.plane[1], height, width, y, x);
  const float third = sample(block, f.plane[2], height, width, y, x);
  if (f.colors == ClipColors::kRgb)
    return {clip01(first * f.luma + f.dark), clip01(second * f.luma + f.dark),
            clip01(third * f.luma + f.dark)};
  const float luma = first * f.luma + f.dark, u = second - 128.0f, v = third - 128.0f;
  return {clip01(luma + f.rv * v), clip01(luma + (f.gu * u + f.gv * v)), clip01(luma + f.bu * u)};
}

VSSL_PIXEL Rgb saturated(Rgb p, float value) {
  const float v = larger(p.r, larger(p.g, p.b)), chroma = v - smaller(p.r, smaller(p.g, p.b));
  const float k = smaller(value, v / larger(chroma, 1e-12f));
  return {clip01(v - (v - p.r) * k), clip01(v - (v - p.g) * k), clip01(v - (v - p.b) * k)};
}

VSSL_PIXEL float hue_channel(float v, float chroma, float h, float offset) {
  float k = h + offset;
  k = k >= 6.0f ? k - 6.0f : k;
  const float edge = smaller(smaller(k, 4.0f - k), 1.0f);
  return v - chroma * larger(edge, 0.0f);
}

VSSL_PIXEL Rgb turned(Rgb p, float sixths) {
  const float v = larger(p.r, larger(p.g, p.b)), chroma = v - smaller(p.r, smaller(p.g, p.b));
  const float inverse = 1.0f / larger(chroma, 1e-12f);
  const float from_r = (p.g - p.b) * inverse, from_g = (p.b - p.r) * inverse + 2.0f,
              from_b = (p.r - p.g) * inverse + 4.0f;
  float h = v == p.r ? from_r : (v == p.g ? from_g : from_b);
  h += sixths;
  h = h < 0.0f ? h + 6.0f : h;
  h = h < 0.0f ? h + 6.0f : h;
  h = h >= 6.0f ? h - 6.0f : h;
  h = h >= 6.0f ? h - 6.0f : h;
  return {clip01(hue_channel(v, chroma, h, 5.0f)), clip01(hue_channel(v, chroma, h, 3.0f)),
          clip01(hue_channel(v, chroma, h, 1.0f))};
}

VSSL_PIXEL float contrasted(float x, float mean, float value) { return clip01((x - mean) * value + mean); }

/// One colour operation; `means` of the three channels are contrast's.
VSSL_PIXEL Rgb colored(Rgb p, const ClipOp& op, const float* means) {
  switch (op.kind) {
    case ClipOpKind::kBrightness:
      return {clip01(p.r * op.value + 0.0f), clip01(p.g * op.value + 0.0f), clip01(p.b * op.value + 0.0f)};
    case ClipOpKind::kContrast:
      return {contrasted(p.r, means[0], op.value), contrasted(p.g, means[1], op.value),
              contrasted(p.b, means[2], op.value)};
    case ClipOpKind::kSaturation:
      return saturated(p, op.value);
    default:
      return turned(p, op.value);
  }
}

VSSL_PIXEL float luma(Rgb p) { return (0.299f * p.r + 0.587f * p.g) + 0.114f * p.b; }

VSSL_PIXEL float solarized(const ClipFrame& f, float x) {
  return f.solarizes && x >= f.solarize ? 1.0f - x : x;
}

/// Where sweep number `sweep` over a frame begins in its list of operations: at the contrast with that
/// number, from 1 on; op_count where it has fewer.
VSSL_PIXEL int sweep_begin(const uint8_t* block, const ClipFrame& f, int sweep) {
  if (sweep == 0) return 0;
  const ClipOp* const ops = at<ClipOp>(block, f.op_list);
  int found = 0;
  for (int i = 0; i < f.op_count; ++i)
    if (ops[i].kind == ClipOpKind::kContrast && ++found == sweep) return i;
  return f.op_count;
}

}  // namespace vssl::clip
