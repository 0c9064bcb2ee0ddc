// The multiply-add of bf16 pairs for AVX-512 BF16 (vdpbf16ps: two products a lane, fp32 accumulation).
#include "limits_loops.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,prefer-vector-width=512")
#endif

namespace vssl::limits {
namespace avx512_bf16 {
namespace {

using Vec = __m512;
constexpr int kWidth = 16;
constexpr int kChainRows = 8;
constexpr int kChainColumns = 3;

inline Vec zero() { return _mm512_setzero_ps(); }
inline Vec set1(float x) { return _mm512_set1_ps(x); }
inline Vec add(Vec a, Vec b) { return _mm512_add_ps(a, b); }
inline float first(Vec a) { return _mm512_cvtss_f32(a); }
// The words of a and b are pairs of bf16.
inline Vec chain(Vec acc, Vec a, Vec b) {
  return _mm512_dpbf16_ps(acc, (__m512bh)_mm512_castps_si512(a), (__m512bh)_mm512_castps_si512(b));
}

#include "limits_chains.inl"

const Bf16Loop kLoop = {multiply_add, 4.0 * kWidth* kChainRows* kChainColumns};

}  // namespace
}  // namespace avx512_bf16

const Bf16Loop& avx512_bf16_loop() { return avx512_bf16::kLoop; }

}  // namespace vssl::limits

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#else

namespace vssl::limits {
const Bf16Loop& avx512_bf16_loop() {  // never selected here
  static const Bf16Loop none = {};
  return none;
}
}  // namespace vssl::limits

#endif
