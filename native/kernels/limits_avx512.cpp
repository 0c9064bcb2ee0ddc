// The loops of limits.h for AVX-512 (F, BW, DQ, VL).
#include "limits_loops.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,prefer-vector-width=512")
#endif

namespace vssl::limits {
namespace avx512 {
namespace {

#include "isa_avx512.inl"

constexpr int kChainRows = 8;
constexpr int kChainColumns = 2;

inline Vec chain(Vec acc, Vec a, Vec b) { return fma(acc, a, b); }
inline float first(Vec a) { return _mm512_cvtss_f32(a); }
inline Vec widen_bytes(const uint8_t* p) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  // The zero-masked forms: GCC 12 warns of an undefined value in its own plain ones.
  return _mm512_maskz_cvtepi32_ps(0xffff, _mm512_maskz_cvtepu8_epi32(0xffff, bytes));
}

#include "limits_chains.inl"
#include "limits_streams.inl"

const LimitLoops kTable = {multiply_add, 2.0 * kWidth* kChainRows* kChainColumns, copy, widen, triad};

}  // namespace
}  // namespace avx512

const LimitLoops& avx512_loops() { return avx512::kTable; }

}  // namespace vssl::limits

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#else

namespace vssl::limits {
const LimitLoops& avx512_loops() { return portable_loops(); }  // never selected here
}  // namespace vssl::limits

#endif
