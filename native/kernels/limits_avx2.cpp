// The loops of limits.h for AVX2 with FMA.
#include "limits_loops.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif

namespace vssl::limits {
namespace avx2 {
namespace {

#include "isa_avx2.inl"

constexpr int kChainRows = 6;
constexpr int kChainColumns = 2;

inline Vec chain(Vec acc, Vec a, Vec b) { return fma(acc, a, b); }
inline float first(Vec a) { return _mm256_cvtss_f32(a); }
inline Vec widen_bytes(const uint8_t* p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
}

#include "limits_chains.inl"
#include "limits_streams.inl"

const LimitLoops kTable = {multiply_add, 2.0 * kWidth* kChainRows* kChainColumns, copy, widen, triad};

}  // namespace
}  // namespace avx2

const LimitLoops& avx2_loops() { return avx2::kTable; }

}  // namespace vssl::limits

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#else

namespace vssl::limits {
const LimitLoops& avx2_loops() { return portable_loops(); }  // never selected here
}  // namespace vssl::limits

#endif
