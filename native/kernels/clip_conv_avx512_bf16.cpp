// The inner loop of clip_conv.h for AVX-512 BF16: outputs of a row side by side in registers, so that a word
// of weights is loaded once for all of them.
#include <algorithm>

#include "clip_conv_rows.h"
#include "isa.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#include "target_avx512_bf16.inl"

namespace vssl::clip_conv_rows {
namespace avx512_bf16 {
namespace {

#include "bf16_blocks.inl"

// kCount outputs from position `first`, for kVecs vectors of filters.
template <int kVecs, int kCount>
inline void block(const Row& row, int64_t first) {
  __m512 sum[kCount][kVecs];
  __mmask16 lanes[kVecs];
#pragma GCC unroll 2
  for (int v = 0; v < kVecs; ++v) {
    const int64_t left = row.filters - row.first_filter - v * kLanes;
    lanes[v] = static_cast<__mmask16>(left >= kLanes ? 0xffff : (1 << left) - 1);
    const __m512 bias = _mm512_maskz_loadu_ps(lanes[v], row.bias + row.first_filter + v * kLanes);
#pragma GCC unroll 28
    for (int i = 0; i < kCount; ++i) sum[i][v] = bias;
  }
  for (int64_t time = 0; time < row.times; ++time) {
    for (int64_t line = 0; line < row.lines; ++line) {
      const uint16_t* x = row.x + time * row.time_pitch + line * row.line_pitch + first * row.step;
      const uint32_t* w = row.packed + time * row.packed_time_pitch + line * row.packed_line_pitch;
      for (int64_t pair = 0; pair < row.pairs; ++pair, x += 2, w += kFilterBlock)
        add_products(sum, w, x, row.step);
    }
  }
#pragma GCC unroll 28
  for (int i = 0; i < kCount; ++i) {
    uint16_t* out = row.out + (first + i) * row.filters + row.first_filter;
#pragma GCC unroll 2
    for (int v = 0; v < kVecs; ++v) {
      __m512 y = sum[i][v];
      if (row.relu) y = _mm512_max_ps(_mm512_setzero_ps(), y);  // NaN stays
      _mm256_mask_storeu_epi16(out + v * kLanes, lanes[v], (__m256i)_mm512_cvtneps_pbh(y));
    }
  }
}

template <int kVecs>
struct Rows {
  template <int kCount>
  static void run(const Row& row, int64_t first) {
    block<kVecs, kCount>(row, first);
  }
};

void run(const Row& row) {
  if (row.filters - row.first_filter > kLanes) {
    in_blocks<Rows<2>, kAccumulators / 2>(row, row.width);
  } else {
    in_blocks<Rows<1>, kAccumulators>(row, row.width);
  }
}

}  // namespace
}  // namespace avx512_bf16
}  // namespace vssl::clip_conv_rows

#include "target_end.inl"

#endif

namespace vssl::clip_conv_rows {

RowKernel row_kernel() {
#if defined(__x86_64__) && defined(__GNUC__)
  if (selects_avx512_bf16()) return &avx512_bf16::run;
#endif
  return nullptr;
}

}  // namespace vssl::clip_conv_rows
