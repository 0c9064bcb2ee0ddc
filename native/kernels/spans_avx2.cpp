// Loops over long spans for AVX2 with FMA.
#include <type_traits>

#include "cosines.h"
#include "spans.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif

namespace vssl::spans {
namespace avx2 {
namespace {

using Vec = __m256;
constexpr int kWidth = 8;
constexpr int kMicroVecs = 2;

inline Vec load(const float* p) { return _mm256_loadu_ps(p); }
inline Vec load(const uint8_t* p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
}
inline void store(float* p, Vec v) { _mm256_storeu_ps(p, v); }
inline void stream(float* p, Vec v) { _mm256_stream_ps(p, v); }
inline void finish_streaming() { _mm_sfence(); }
inline Vec zero() { return _mm256_setzero_ps(); }
inline Vec set1(float x) { return _mm256_set1_ps(x); }
inline Vec add(Vec a, Vec b) { return _mm256_add_ps(a, b); }
inline Vec sub(Vec a, Vec b) { return _mm256_sub_ps(a, b); }
inline Vec mul(Vec a, Vec b) { return _mm256_mul_ps(a, b); }
inline Vec fma(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }

#include "dct_any.inl"
#include "dct_motion.inl"
#include "dct_unrolled.inl"
#include "spans.inl"

}  // namespace
}  // namespace avx2

const SpanKernels& avx2_spans() { return avx2::kTable; }

}  // namespace vssl::spans

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#else

namespace vssl::spans {
const SpanKernels& avx2_spans() { return portable_spans(); }  // never selected here
}  // namespace vssl::spans

#endif
