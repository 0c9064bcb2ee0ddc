// Products of the queue's loss on bf16 pairs for AVX-512 BF16.
#include "queue_tiles.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#include "target_avx512_bf16.inl"

namespace vssl::queue {
namespace avx512_bf16 {
namespace {

#include "isa_avx512_bf16.inl"
namespace pairs {
#include "ntxent_products.inl"
#include "queue_products.inl"
}  // namespace pairs

void pack(uint32_t* words, const float* keys, int64_t dim) {
  const int64_t rows = pairs::ceil_div(dim, kBlock) * kKeyPanel;
  for (int64_t row = 0; row < rows; ++row) {
    const float* in = keys + row * kBlock;
    _mm512_storeu_si512(words + row * kWordsPerBlock, interleave(load(in), load(in + kWidth)));
  }
}

void scores(float* tile, const uint32_t* keys, const uint32_t* next, const uint32_t* qt16, int64_t nk,
            int64_t nq, int64_t dim) {
  pairs::score_panel<kWordsPerBlock>(tile, words(keys), words(next), words(qt16), nk, nq, words_of(dim));
}

void pair_weights(uint32_t* out, const float* tile, int64_t nk, int64_t nq) {
  for (int64_t row = 0; row < nk; row += 2) {
    for (int64_t column = 0; column < nq; column += kWidth) {
      const float* in = tile + row * kTileLd + column;
      const Vec second = row + 1 < nk ? load(in + kTileLd) : zero();
      _mm512_storeu_si512(out + row / 2 * kTileLd + column, interleave(load(in), second));
    }
  }
}

// A dim block of a panel of keys with two keys in a word instead of two dims: [key pair][32 dims].
void pair_keys(uint32_t* block, const uint32_t* keys, int64_t nk) {
  constexpr __mmask32 kHighHalves = 0xaaaaaaaa;
  for (int64_t row = 0; row < nk; row += 2) {
    const __m512i a = _mm512_loadu_si512(keys + row * kWordsPerBlock);
    const __m512i b = _mm512_loadu_si512(keys + (row + 1) * kWordsPerBlock);
    uint32_t* out = block + row / 2 * kBlock;
    _mm512_storeu_si512(out, _mm512_mask_blend_epi16(kHighHalves, a, _mm512_slli_epi32(b, 16)));
    _mm512_storeu_si512(out + kWidth, _mm512_mask_blend_epi16(kHighHalves, _mm512_srli_epi32(a, 16), b));
  }
}

void add_keys(float* g, const uint32_t* weights, const uint32_t* keys, int64_t nk, int64_t nq, int64_t dim) {
  alignas(64) uint32_t block[kKeyPanel / 2 * kBlock];
  const int64_t padded_dim = pairs::ceil_div(dim, kBlock) * kBlock;
  for (int64_t first = 0; first < dim; first += kBlock) {
    pair_keys(block, keys + first * kKeyPanel / 2, nk);
    const int64_t width = dim - first < kBlock ? dim - first : kBlock;
    for (int64_t query = 0; query < nq; query += kQueryPanel) {
      const int64_t n = nq - query < kQueryPanel ? nq - query : kQueryPanel;
      pairs::add_product<1, kTileLd>(g + query * padded_dim + first * kQueryPanel,
                                     words(weights + query * kKeyPanel / 2), words(block), n,
                                     pairs::ceil_div(nk, 2), width, kQueryPanel, kKeyPanel / 2);
    }
  }
}

const QueueBf16Tiles kTable = {pack, scores, pair_weights, add_keys};

}  // namespace
}  // namespace avx512_bf16
}  // namespace vssl::queue

#include "target_end.inl"

#endif

namespace vssl::queue {

const QueueBf16Tiles* bf16_products() {
#if defined(__x86_64__) && defined(__GNUC__)
  if (selects_avx512_bf16()) return &avx512_bf16::kTable;
#endif
  return nullptr;
}

}  // namespace vssl::queue
