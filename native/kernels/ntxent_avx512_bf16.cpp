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
inline Vec add(Vec a, Vec b) { return _mm512_add_ps(a, b); }
inline Vec mul(Vec a, Vec b) { return _mm512_mul_ps(a, b); }
// The words of a and b are pairs of bf16.
inline Vec fma(Vec a, Vec b, Vec c) {
  return _mm512_dpbf16_ps(c, (__m512bh)_mm512_castps_si512(a), (__m512bh)_mm512_castps_si512(b));
}

#include "ntxent_products.inl"

// The products move words without looking at them; only fma knows that they are pairs.
inline const float* words(const uint32_t* p) { return reinterpret_cast<const float*>(p); }

// Word l of the result: low half a[l], high half b[l].
inline __m512i interleave(__m512 a, __m512 b) {
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7,
                                         22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return _mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh(b, a));
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
  add_product<kTileLd / 2, 1>(g_i, words(rows), words(zd16_j), ni, nj / 2, dim, panel, panel / 2);
}

void add_columns(float* g_j, const uint32_t* columns, const uint32_t* zd16_i, int64_t ni, int64_t nj,
                 int64_t dim, int64_t panel) {
  add_product<1, kTileLd>(g_j, words(columns), words(zd16_i), nj, ni / 2, dim, panel, panel / 2);
}

const Bf16Kernels kTable = {pack_block, similarity_of_pairs, round_weights, weigh_kept,
                            add_rows,   add_columns};

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
