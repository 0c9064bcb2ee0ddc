// Loops over long spans for AVX-512 (F, BW, DQ, VL).
#include <type_traits>

#include "cosines.h"
#include "spans.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,prefer-vector-width=512")
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"  // GCC 12 sees one in its own _mm512_undefined_ps
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

namespace vssl::spans {
namespace avx512 {
namespace {

using Vec = __m512;
constexpr int kWidth = 16;
constexpr int kMicroVecs = 4;

inline Vec load(const float* p) { return _mm512_loadu_ps(p); }
inline Vec load(const uint8_t* p) {
  return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}
inline void store(float* p, Vec v) { _mm512_storeu_ps(p, v); }
inline void stream(float* p, Vec v) { _mm512_stream_ps(p, v); }
inline void finish_streaming() { _mm_sfence(); }
inline Vec zero() { return _mm512_setzero_ps(); }
inline Vec set1(float x) { return _mm512_set1_ps(x); }
inline Vec add(Vec a, Vec b) { return _mm512_add_ps(a, b); }
inline Vec sub(Vec a, Vec b) { return _mm512_sub_ps(a, b); }
inline Vec mul(Vec a, Vec b) { return _mm512_mul_ps(a, b); }
inline Vec fma(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }

#include "dct_any.inl"
#include "dct_motion.inl"
#include "dct_unrolled.inl"
#include "spans.inl"

}  // namespace
}  // namespace avx512

const SpanKernels& avx512_spans() { return avx512::kTable; }

}  // namespace vssl::spans

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC diagnostic pop
#pragma GCC pop_options
#endif

#else

namespace vssl::spans {
const SpanKernels& avx512_spans() { return portable_spans(); }  // never selected here
}  // namespace vssl::spans

#endif
