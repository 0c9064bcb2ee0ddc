// The inner loops of winograd.h for AVX-512 BF16.
#include <algorithm>
#include <cstddef>
#include <utility>

#include "isa.h"
#include "winograd_loops.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#include "target_avx512_bf16.inl"

namespace vssl::winograd_loops {
namespace avx512_bf16 {
namespace {

#include "bf16_blocks.inl"

inline __mmask16 lanes_of(int64_t count) {
  return static_cast<__mmask16>(count >= kLanes ? 0xffff : count <= 0 ? 0 : (1 << count) - 1);
}

inline __m512 widened(__mmask16 lanes, const uint16_t* x) {
  return _mm512_castsi512_ps(
      _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lanes, x)), 16));
}

inline __m256i rounded(__m512 x) { return (__m256i)_mm512_cvtneps_pbh(x); }

// B' of four values, and of what lies beside them.
inline void transform(const __m512 (&d)[4], __m512 (&out)[4]) {
  out[0] = d[0] - d[2];
  out[1] = d[1] + d[2];
  out[2] = d[2] - d[1];
  out[3] = d[1] - d[3];
}

// The 4 x 4 pixels that a square sees.
template <class Lines>
inline void find(const uint16_t* (&pixels)[4][4], const Lines& s, int64_t square) {
  const int64_t first = s.first_column + 2 * square;
  const bool inside = first >= 0 && first + 4 <= s.width;
#pragma GCC unroll 4
  for (int64_t i = 0; i < 4; ++i) {
    if (inside && s.lines[i] != nullptr) {
      const uint16_t* const line = s.lines[i] + first * s.channels;
#pragma GCC unroll 4
      for (int64_t j = 0; j < 4; ++j) pixels[i][j] = line + j * s.channels;
      continue;
    }
    for (int64_t j = 0; j < 4; ++j) {
      const bool outside = s.lines[i] == nullptr || first + j < 0 || first + j >= s.width;
      pixels[i][j] = outside ? s.zeros : s.lines[i] + (first + j) * s.channels;
    }
  }
}

// B' d B of a vector of channels from c on.
inline void square_at(const uint16_t* const (&pixels)[4][4], int64_t c, __mmask16 lanes,
                      __m256i (&out)[kProducts]) {
  __m512 columns[4][4];  // [column][row of B']
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    const __m512 d[4] = {widened(lanes, pixels[0][j] + c), widened(lanes, pixels[1][j] + c),
                         widened(lanes, pixels[2][j] + c), widened(lanes, pixels[3][j] + c)};
    transform(d, columns[j]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const __m512 d[4] = {columns[0][i], columns[1][i], columns[2][i], columns[3][i]};
    __m512 row[4];
    transform(d, row);
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) out[4 * i + j] = rounded(row[j]);
  }
}

void squares(const Squares& s) {
  for (int64_t square = 0; square < s.count; ++square) {
    const uint16_t* pixels[4][4];
    find(pixels, s, square);
    uint16_t* const out = s.out + square * s.square_pitch;
    for (int64_t c = 0; c < s.channels; c += kLanes) {
      __m256i values[kProducts];
      square_at(pixels, c, lanes_of(s.channels - c), values);
#pragma GCC unroll 16
      for (int p = 0; p < kProducts; ++p)
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + p * s.product_pitch + c), values[p]);
    }
  }
}

// Values of two squares in the words of one vector.
inline void store_pairs(uint32_t* out, int64_t product_pitch, const __m256i (&low)[kProducts],
                        const __m256i (&high)[kProducts]) {
#pragma GCC unroll 16
  for (int p = 0; p < kProducts; ++p) {
    const __m512i words =
        _mm512_or_si512(_mm512_cvtepu16_epi32(low[p]), _mm512_slli_epi32(_mm512_cvtepu16_epi32(high[p]), 16));
    _mm512_storeu_si512(out + p * product_pitch, words);
  }
}

void paired_squares(const PairedSquares& s) {
  for (int64_t square = 0; square < s.count; square += 2) {
    const uint16_t *first[4][4], *second[4][4];
    find(first, s, square);
    find(second, s, square + 1);
    uint32_t* const out = s.out + square / 2 * s.pair_pitch;
    for (int64_t c = 0; c < s.channels; c += kLanes) {
      const __mmask16 lanes = lanes_of(s.channels - c);
      __m256i low[kProducts], high[kProducts];
      square_at(first, c, lanes, low);
      square_at(second, c, lanes, high);
      store_pairs(out + c, s.product_pitch, low, high);
    }
  }
}

// A of two values.
inline void spread(__m512 a, __m512 b, __m512 (&out)[4]) {
  out[0] = a;
  out[1] = a + b;
  out[2] = a - b;
  out[3] = _mm512_setzero_ps() - b;
}

// A g A' of a vector of filters from f on.
inline void gradient_at(const uint16_t* const (&pixels)[2][2], int64_t f, __mmask16 lanes,
                        __m256i (&out)[kProducts]) {
  __m512 columns[2][4];
#pragma GCC unroll 2
  for (int j = 0; j < 2; ++j)
    spread(widened(lanes, pixels[0][j] + f), widened(lanes, pixels[1][j] + f), columns[j]);
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    __m512 row[4];
    spread(columns[0][i], columns[1][i], row);
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) out[4 * i + j] = rounded(row[j]);
  }
}

void paired_gradients(const PairedGradients& g) {
  const auto find_in = [&](const uint16_t*(&pixels)[2][2], int64_t square) {
    for (int64_t i = 0; i < 2; ++i) {
      for (int64_t j = 0; j < 2; ++j) {
        const int64_t column = 2 * square + j;
        const bool outside = g.lines[i] == nullptr || column >= g.width;
        pixels[i][j] = outside ? g.zeros : g.lines[i] + column * g.filters;
      }
    }
  };
  for (int64_t square = 0; square < g.count; square += 2) {
    const uint16_t *first[2][2], *second[2][2];
    find_in(first, square);
    find_in(second, square + 1);
    uint32_t* const out = g.out + square / 2 * g.pair_pitch;
    for (int64_t f = 0; f < g.filters; f += kLanes) {
      const __mmask16 lanes = lanes_of(g.filters - f);
      __m256i low[kProducts], high[kProducts];
      gradient_at(first, f, lanes, low);
      gradient_at(second, f, lanes, high);
      store_pairs(out + f, g.product_pitch, low, high);
    }
  }
}

// G' of four values.
inline void gathered(const __m512 (&m)[4], __m512 (&out)[3]) {
  const __m512 half = _mm512_set1_ps(0.5f), sum = (m[1] + m[2]) * half, difference = (m[1] - m[2]) * half;
  out[0] = m[0] + sum;
  out[1] = difference;
  out[2] = sum + m[3];
}

// kCount channels, kVecs vectors of filters.
template <int kVecs, int kCount>
void gather_of(const Gather& g) {
  float sums[kProducts][kCount][kVecs * kLanes];
  for (int64_t product = 0; product < kProducts; ++product) {
    __m512 sum[kCount][kVecs];
#pragma GCC unroll 28
    for (int i = 0; i < kCount; ++i) {
#pragma GCC unroll 2
      for (int v = 0; v < kVecs; ++v) sum[i][v] = _mm512_setzero_ps();
    }
    for (int64_t frame = 0; frame < g.frames; ++frame) {
      const uint32_t* x = g.squares[frame] + product * g.squares_product_pitch;
      const uint32_t* y = g.gradients[frame] + product * g.gradients_product_pitch;
      for (int64_t pair = 0; pair < g.pairs; ++pair, x += g.squares_pair_pitch, y += g.gradients_pair_pitch)
        add_products(sum, y, reinterpret_cast<const uint16_t*>(x), 2);
    }
#pragma GCC unroll 28
    for (int i = 0; i < kCount; ++i) {
#pragma GCC unroll 2
      for (int v = 0; v < kVecs; ++v) _mm512_storeu_ps(&sums[product][i][v * kLanes], sum[i][v]);
    }
  }
  for (int64_t i = 0; i < kCount; ++i) {
    for (int64_t v = 0; v < kVecs * kLanes; v += kLanes) {
      __m512 rows[3][4];  // [row of G'][column]
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) {
        const __m512 m[4] = {_mm512_loadu_ps(&sums[j][i][v]), _mm512_loadu_ps(&sums[4 + j][i][v]),
                             _mm512_loadu_ps(&sums[8 + j][i][v]), _mm512_loadu_ps(&sums[12 + j][i][v])};
        __m512 column[3];
        gathered(m, column);
#pragma GCC unroll 3
        for (int r = 0; r < 3; ++r) rows[r][j] = column[r];
      }
      float* const out = g.out + i * g.pitch + v;
#pragma GCC unroll 3
      for (int r = 0; r < 3; ++r) {
        __m512 weights[3];
        gathered(rows[r], weights);
#pragma GCC unroll 3
        for (int c = 0; c < 3; ++c) {
          float* const to = out + (3 * r + c) * kFilterBlock;
          _mm512_storeu_ps(to, _mm512_loadu_ps(to) + weights[c]);
        }
      }
    }
  }
}

template <int kVecs, size_t... kCounts>
void gather_in(const Gather& g, std::index_sequence<kCounts...>) {
  constexpr void (*kinds[])(const Gather&) = {gather_of<kVecs, static_cast<int>(kCounts) + 1>...};
  kinds[g.channels - 1](g);
}

void gather(const Gather& g) {
  if (g.filters > kLanes) {
    gather_in<2>(g, std::make_index_sequence<most_channels(kFilterBlock)>());
  } else {
    gather_in<1>(g, std::make_index_sequence<most_channels(kLanes)>());
  }
}

// kCount rows from `first` on, for kVecs vectors of filters.
template <int kVecs, int kCount>
inline void block(const Multiply& m, int64_t first) {
  __m512 sum[kCount][kVecs];
#pragma GCC unroll 28
  for (int i = 0; i < kCount; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < kVecs; ++v) sum[i][v] = _mm512_setzero_ps();
  }
  const uint32_t* w = m.packed;
  const int64_t pitch = 2 * m.pairs;
  for (int64_t tap = 0; tap < m.count; ++tap) {
    const uint16_t* x = m.taps[tap] + first * pitch;
    for (int64_t pair = 0; pair < m.pairs; ++pair, x += 2, w += kFilterBlock) add_products(sum, w, x, pitch);
  }
#pragma GCC unroll 28
  for (int i = 0; i < kCount; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < kVecs; ++v)
      _mm512_storeu_ps(m.out + (first + i) * kFilterBlock + v * kLanes, sum[i][v]);
  }
}

template <int kVecs>
struct Rows {
  template <int kCount>
  static void run(const Multiply& m, int64_t first) {
    block<kVecs, kCount>(m, first);
  }
};

void multiply(const Multiply& m) {
  if (m.filters > kLanes) {
    in_blocks<Rows<2>, kAccumulators / 2>(m, m.rows);
  } else {
    in_blocks<Rows<1>, kAccumulators>(m, m.rows);
  }
}

// A' of four values.
inline void join(const __m512 (&m)[4], __m512& first, __m512& second) {
  first = m[0] + m[1] + m[2];
  second = m[1] - m[2] - m[3];
}

void outputs(const Outputs& o) {
  for (int64_t v = 0; v < kFilterBlock && o.first_filter + v < o.filters; v += kLanes) {
    const int64_t filter = o.first_filter + v;
    const __mmask16 lanes = lanes_of(o.filters - filter);
    const __m512 bias = _mm512_maskz_loadu_ps(lanes, o.bias + filter);
    for (int64_t square = 0; square < o.count; ++square) {
      const float* const sums = o.sums + square * kFilterBlock + v;
      __m512 rows[2][4];  // [row of A'][column]
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) {
        const __m512 m[4] = {_mm512_loadu_ps(sums + j * o.product_pitch),
                             _mm512_loadu_ps(sums + (4 + j) * o.product_pitch),
                             _mm512_loadu_ps(sums + (8 + j) * o.product_pitch),
                             _mm512_loadu_ps(sums + (12 + j) * o.product_pitch)};
        join(m, rows[0][j], rows[1][j]);
      }
#pragma GCC unroll 2
      for (int i = 0; i < 2; ++i) {
        if (o.lines[i] == nullptr) continue;
        __m512 y[2];
        join(rows[i], y[0], y[1]);
#pragma GCC unroll 2
        for (int j = 0; j < 2; ++j) {
          const int64_t column = 2 * square + j;
          if (column >= o.width) continue;
          const int64_t at = column * o.filters + filter;
          __m512 value = y[j] + bias;
          if (o.residual[i] != nullptr) value = value + widened(lanes, o.residual[i] + at);
          if (o.relu) value = _mm512_max_ps(_mm512_setzero_ps(), value);  // NaN stays
          _mm256_mask_storeu_epi16(o.lines[i] + at, lanes, rounded(value));
        }
      }
    }
  }
}

constexpr Loops kLoops{squares, multiply, outputs, paired_squares, paired_gradients, gather};

}  // namespace
}  // namespace avx512_bf16
}  // namespace vssl::winograd_loops

#include "target_end.inl"

#endif

namespace vssl::winograd_loops {

const Loops* loops() {
#if defined(__x86_64__) && defined(__GNUC__)
  if (selects_avx512_bf16()) return &avx512_bf16::kLoops;
#endif
  return nullptr;
}

}  // namespace vssl::winograd_loops
