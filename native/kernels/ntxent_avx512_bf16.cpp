// NT-Xent products on bf16 pairs for AVX-512 BF16.
#include "ntxent_tiles.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#include "target_avx512_bf16.inl"

namespace vssl::ntxent {
namespace avx512_bf16 {
namespace {

#include "isa_avx512_bf16.inl"
namespace pairs {
#include "ntxent_products.inl"
}  // namespace pairs

// 16 x 16 words, in registers: pairs of rows, fours, then quarters of a register twice.
inline void transpose_words(__m512i (&rows)[kWidth]) {
  __m512i t[kWidth];
#pragma GCC unroll 8
  for (int r = 0; r < kWidth; r += 2) {
    t[r] = _mm512_unpacklo_epi32(rows[r], rows[r + 1]);
    t[r + 1] = _mm512_unpackhi_epi32(rows[r], rows[r + 1]);
  }
#pragma GCC unroll 4
  for (int r = 0; r < kWidth; r += 4) {  // rows[r + c]: word 4 q + c of rows r to r + 3 in quarter q
    rows[r] = _mm512_unpacklo_epi64(t[r], t[r + 2]);
    rows[r + 1] = _mm512_unpackhi_epi64(t[r], t[r + 2]);
    rows[r + 2] = _mm512_unpacklo_epi64(t[r + 1], t[r + 3]);
    rows[r + 3] = _mm512_unpackhi_epi64(t[r + 1], t[r + 3]);
  }
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) {
    const __m512i even_upper = _mm512_shuffle_i32x4(rows[c], rows[4 + c], 0x88);
    const __m512i odd_upper = _mm512_shuffle_i32x4(rows[c], rows[4 + c], 0xdd);
    const __m512i even_lower = _mm512_shuffle_i32x4(rows[8 + c], rows[12 + c], 0x88);
    const __m512i odd_lower = _mm512_shuffle_i32x4(rows[8 + c], rows[12 + c], 0xdd);
    t[c] = _mm512_shuffle_i32x4(even_upper, even_lower, 0x88);
    t[4 + c] = _mm512_shuffle_i32x4(odd_upper, odd_lower, 0x88);
    t[8 + c] = _mm512_shuffle_i32x4(even_upper, even_lower, 0xdd);
    t[12 + c] = _mm512_shuffle_i32x4(odd_upper, odd_lower, 0xdd);
  }
#pragma GCC unroll 16
  for (int r = 0; r < kWidth; ++r) rows[r] = t[r];
}

void pack_block(uint32_t* zt16, uint32_t* zd16, const float* zd, int64_t dim, int64_t panel) {
  for (int64_t first = 0; first < dim; first += kBlock) {
    const float* in = zd + first * panel;
    for (int64_t r = 0; r < kBlock; r += 2) {
      for (int64_t k = 0; k < kBlock; k += kWidth) {
        const __m512i pairs = interleave(load(in + r * kBlock + k), load(in + (r + 1) * kBlock + k));
        _mm512_storeu_si512(zd16 + first * panel / 2 + r / 2 * kBlock + k, pairs);
      }
    }
    const int64_t pairs = (dim - first < kBlock ? dim - first + 1 : kBlock) / 2;  // zd is zero beyond dim
    for (int64_t r = 0; r < kBlock; r += kWidth) {
      __m512i rows[kWidth];  // of each row its values, two in a word
#pragma GCC unroll 16
      for (int64_t l = 0; l < kWidth; ++l) {
        const float* x = in + (r + l) * kBlock;
        rows[l] = (__m512i)_mm512_cvtne2ps_pbh(load(x + kWidth), load(x));
      }
      transpose_words(rows);
      for (int64_t pair = 0; pair < pairs; ++pair)
        _mm512_storeu_si512(zt16 + (first / 2 + pair) * kBlock + r, rows[pair]);
    }
  }
}

void similarity_of_pairs(float* tile, const uint32_t* zt16_i, const uint32_t* zt16_j, int64_t ni, int64_t nj,
                         int64_t dim) {
  pairs::similarity(tile, words(zt16_i), words(zt16_j), ni, nj, (dim + 1) / 2);
}

// Rows r and r + 1 of H, columns c to c + 31: a0 a1 and b0 b1.
inline void round_pair(RoundedWeights h, int64_t row, int64_t column, Vec a0, Vec a1, Vec b0, Vec b1) {
  uint32_t* rows = h.rows + row * kTileLd / 2 + column / 2;
  _mm512_store_si512(rows, (__m512i)_mm512_cvtne2ps_pbh(a1, a0));
  _mm512_store_si512(rows + kTileLd / 2, (__m512i)_mm512_cvtne2ps_pbh(b1, b0));
  if (h.columns == nullptr) return;
  uint32_t* columns = h.columns + row / 2 * kTileLd + column;
  _mm512_store_si512(columns, interleave(a0, b0));
  _mm512_store_si512(columns + kWidth, interleave(a1, b1));
}

void round_weights(RoundedWeights h, const float* tile, int64_t ni, int64_t nj) {
  for (int64_t row = 0; row < ni; row += 2) {
    for (int64_t column = 0; column < nj; column += 2 * kWidth) {
      const float* a = tile + row * kTileLd + column;
      const float* b = a + kTileLd;
      round_pair(h, row, column, load(a), load(a + kWidth), load(b), load(b + kWidth));
    }
  }
}

void weigh_kept(RoundedWeights h, const float* kept, const float* r_i, const float* r_j, int64_t ni,
                int64_t nj, int64_t panel) {
  for (int64_t row = 0; row < ni; row += 2) {
    const Vec ra = set1(r_i[row]), rb = set1(r_i[row + 1]);
    for (int64_t column = 0; column < nj; column += 2 * kWidth) {
      const float* a = kept + row * panel + column;
      const float* b = a + panel;
      const Vec r0 = load(r_j + column), r1 = load(r_j + column + kWidth);
      round_pair(h, row, column, mul(load(a), add(ra, r0)), mul(load(a + kWidth), add(ra, r1)),
                 mul(load(b), add(rb, r0)), mul(load(b + kWidth), add(rb, r1)));
    }
  }
}

void add_rows(float* g_i, const uint32_t* rows, const uint32_t* zd16_j, int64_t ni, int64_t nj, int64_t dim,
              int64_t panel) {
  pairs::add_product<kTileLd / 2, 1>(g_i, words(rows), words(zd16_j), ni, nj / 2, dim, panel, panel / 2);
}

void add_columns(float* g_j, const uint32_t* columns, const uint32_t* zd16_i, int64_t ni, int64_t nj,
                 int64_t dim, int64_t panel) {
  pairs::add_product<1, kTileLd>(g_j, words(columns), words(zd16_i), nj, ni / 2, dim, panel, panel / 2);
}

const Bf16Kernels kTable = {pack_block, similarity_of_pairs, round_weights, weigh_kept,
                            add_rows,   add_columns};

}  // namespace
}  // namespace avx512_bf16
}  // namespace vssl::ntxent

#include "target_end.inl"

#endif

namespace vssl::ntxent {

const Bf16Kernels* bf16_products() {
#if defined(__x86_64__) && defined(__GNUC__)
  if (selects_avx512_bf16()) return &avx512_bf16::kTable;
#endif
  return nullptr;
}

}  // namespace vssl::ntxent
