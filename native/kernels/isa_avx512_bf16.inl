// Words of two bf16 values for AVX-512 BF16, beside the floats.
#include "isa_avx512.inl"

namespace pairs {
// The words of a and b are pairs: two products a lane, accumulated in fp32. Hides the fp32 one.
inline Vec fma(Vec a, Vec b, Vec c) {
  return _mm512_dpbf16_ps(c, (__m512bh)_mm512_castps_si512(a), (__m512bh)_mm512_castps_si512(b));
}
}  // namespace pairs

// The products move words without looking at them; only pairs::fma knows that they are pairs.
inline const float* words(const uint32_t* p) { return reinterpret_cast<const float*>(p); }

// Word l of the result: low half a[l], high half b[l].
inline __m512i interleave(Vec a, Vec b) {
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7,
                                         22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return _mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh(b, a));
}
