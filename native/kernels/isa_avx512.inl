// Vectors of 16 floats for AVX-512 (F, BW, DQ, VL), and how many of them a product keeps in registers.
// Included by isa_each.inl.

using Vec = __m512;
constexpr int kWidth = 16;
constexpr int kMicroRows = 8;
constexpr int kMicroVecs = 2;

inline Vec load(const float* p) { return _mm512_loadu_ps(p); }
inline Vec load(const uint8_t* p) {
  return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}
inline void store(float* p, Vec v) { _mm512_storeu_ps(p, v); }
inline void stream(float* p, Vec v) { _mm512_stream_ps(p, v); }  // p is aligned; past the caches
inline void finish_streaming() { _mm_sfence(); }
inline Vec zero() { return _mm512_setzero_ps(); }
inline Vec set1(float x) { return _mm512_set1_ps(x); }
inline Vec add(Vec a, Vec b) { return _mm512_add_ps(a, b); }
inline Vec sub(Vec a, Vec b) { return _mm512_sub_ps(a, b); }
inline Vec mul(Vec a, Vec b) { return _mm512_mul_ps(a, b); }
inline Vec max(Vec a, Vec b) { return _mm512_max_ps(a, b); }
inline Vec fma(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }
inline Vec round_to_int(Vec a) {
  return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
inline Vec scale_by_exp2(Vec p, Vec n) { return _mm512_scalef_ps(p, n); }
