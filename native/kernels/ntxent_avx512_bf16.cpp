// NT-Xent products on bf16 pairs for AVX-512 BF16 (vdpbf16ps: two products a lane, fp32 accumulation).
#include "ntxent_tiles.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,prefer-vector-width=512")
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12 sees one in its own _mm512_undefined_ps
#endif

namespace vssl::ntxent {
namespace avx512_bf16 {
namespace {

using Vec = __m512;
constexpr int kWidth = 16;
constexpr int kMicroRows = 8;
constexpr int kMicroVecs = 2;

inline Vec load(const float* p) { return _mm512_loadu_ps(p); }
inline void store(float* p, Vec v) { _mm512_storeu_ps(p, v); }
inline Vec zero() { return _mm512_setzero_ps(); }
inline Vec set1(float x) { return _mm512_set1_ps(x); }
// The words of a and b are pairs of bf16.
inline Vec fma(Vec a, Vec b, Vec c) {
  return _mm512_dpbf16_ps(c, (__m512bh)_mm512_castps_si512(a), (__m512bh)_mm512_castps_si512(b));
}

#include "ntxent_products.inl"

// The products move words without looking at them; only fma knows that they are pairs.
inline const float* words(const uint32_t* p) { return reinterpret_cast<const float*>(p); }

// Word l of the result: low half a[l], high half b[l].
inline __m512i interleave(__m512 a, __m512 b) {
  const __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(a));
  const __m512i high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(b));
  return _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
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
    for (int64_t r = 0; r < kBlock; ++r) {
      alignas(64) uint32_t row[kBlock / 2];  // the row's values, two in a word
      const float* x = in + r * kBlock;
      _mm512_store_si512(row, (__m512i)_mm512_cvtne2ps_pbh(load(x + kWidth), load(x)));
      for (int64_t pair = 0; pair < pairs; ++pair) zt16[(first / 2 + pair) * kBlock + r] = row[pair];
    }
  }
}

void similarity_of_pairs(float* tile, const uint32_t* zt16_i, const uint32_t* zt16_j, int64_t ni, int64_t nj,
                         int64_t dim) {
  similarity(tile, words(zt16_i), words(zt16_j), ni, nj, (dim + 1) / 2);
}

void add_rows(float* g_i, const float* tile, const uint32_t* zd16_j, int64_t ni, int64_t nj, int64_t dim,
              int64_t panel) {
  alignas(64) uint32_t h[kMaxPanel * kTileLd / 2];  // two columns in a word
  for (int64_t row = 0; row < ceil_div(ni, kMicroRows) * kMicroRows; ++row) {
    for (int64_t column = 0; column < nj; column += 2 * kWidth) {
      const float* in = tile + row * kTileLd + column;
      _mm512_store_si512(h + row * kTileLd / 2 + column / 2,
                         (__m512i)_mm512_cvtne2ps_pbh(load(in + kWidth), load(in)));
    }
  }
  add_product<kTileLd / 2, 1>(g_i, words(h), words(zd16_j), ni, nj / 2, dim, panel, panel / 2);
}

void add_columns(float* g_j, const float* tile, const uint32_t* zd16_i, int64_t ni, int64_t nj, int64_t dim,
                 int64_t panel) {
  alignas(64) uint32_t h[kMaxPanel / 2 * kTileLd];  // two rows in a word
  for (int64_t row = 0; row < ni; row += 2) {
    for (int64_t column = 0; column < nj; column += kWidth) {
      const float* in = tile + row * kTileLd + column;
      _mm512_store_si512(h + row / 2 * kTileLd + column, interleave(load(in), load(in + kTileLd)));
    }
  }
  add_product<1, kTileLd>(g_j, words(h), words(zd16_i), nj, ni / 2, dim, panel, panel / 2);
}

const Bf16Kernels kTable = {pack_block, similarity_of_pairs, add_rows, add_columns};

}  // namespace
}  // namespace avx512_bf16

const Bf16Kernels& avx512_bf16_products() { return avx512_bf16::kTable; }

}  // namespace vssl::ntxent

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC diagnostic pop
#pragma GCC pop_options
#endif

#else

namespace vssl::ntxent {
const Bf16Kernels& avx512_bf16_products() {  // never selected here
  static const Bf16Kernels none = {};
  return none;
}
}  // namespace vssl::ntxent

#endif
