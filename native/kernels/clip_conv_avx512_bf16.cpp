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

constexpr int kAccumulators = 28;  // of 32 registers

// Two values of x, in all lanes.
inline __m512bh broadcast(const uint16_t* x) {
  int32_t pair;
  __builtin_memcpy(&pair, x, sizeof pair);
  return (__m512bh)_mm512_set1_epi32(pair);
}

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
      for (int64_t pair = 0; pair < row.pairs; ++pair, x += 2, w += kFilterBlock) {
        __m512bh weights[kVecs];
#pragma GCC unroll 2
        for (int v = 0; v < kVecs; ++v) weights[v] = (__m512bh)_mm512_loadu_si512(w + v * kLanes);
#pragma GCC unroll 28
        for (int i = 0; i < kCount; ++i) {
          const __m512bh value = broadcast(x + i * row.step);
#pragma GCC unroll 2
          for (int v = 0; v < kVecs; ++v) sum[i][v] = _mm512_dpbf16_ps(sum[i][v], weights[v], value);
        }
      }
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

// The last whole block ends with the row, and may make some outputs a second time.
template <int kVecs, int kCount>
void blocks_of(const Row& row) {
  for (int64_t i = 0; i < row.width; i += kCount) block<kVecs, kCount>(row, std::min(i, row.width - kCount));
}

struct Blocks {
  int64_t count;
  void (*run)(const Row& row);
};

// Of those that fit into the row the one that makes the fewest outputs in all; the widest of equals.
template <int kVecs>
void blocks(const Row& row) {
  constexpr int kMost = kAccumulators / kVecs;
  constexpr Blocks kinds[] = {{kMost, blocks_of<kVecs, kMost>},
                              {kMost * 6 / 7, blocks_of<kVecs, kMost * 6 / 7>},
                              {kMost * 5 / 7, blocks_of<kVecs, kMost * 5 / 7>},
                              {kMost * 4 / 7, blocks_of<kVecs, kMost * 4 / 7>},
                              {4, blocks_of<kVecs, 4>},
                              {1, blocks_of<kVecs, 1>}};
  const Blocks* best = nullptr;
  int64_t fewest = 0;
  for (const Blocks& kind : kinds) {
    const int64_t made = (row.width + kind.count - 1) / kind.count * kind.count;
    if (kind.count > row.width || (best != nullptr && made >= fewest)) continue;
    best = &kind;
    fewest = made;
  }
  best->run(row);
}

void run(const Row& row) {
  if (row.filters - row.first_filter > kLanes) {
    blocks<2>(row);
  } else {
    blocks<1>(row);
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
