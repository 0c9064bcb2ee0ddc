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
inline Vec load(const int8_t* p) {
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}
inline __m256i load_words(const uint16_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
inline Vec load_bf16(const uint16_t* p) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(load_words(p)), 16));
}
inline Vec load_fp16(const uint16_t* p) { return _mm512_cvtph_ps(load_words(p)); }
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

inline Vec both(Vec a, Vec b) { return _mm512_and_ps(a, b); }

// One step each of adding up the lanes of two vectors: what is left of both fits one.
inline Vec add_halves(Vec a, Vec b) {
  return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee));
}
inline Vec add_quarters(Vec a, Vec b) {
  return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd));
}
inline Vec add_pairs(Vec a, Vec b) {
  return _mm512_add_ps(_mm512_shuffle_ps(a, b, 0x44), _mm512_shuffle_ps(a, b, 0xee));
}
inline Vec add_neighbours(Vec a, Vec b) {
  return _mm512_add_ps(_mm512_shuffle_ps(a, b, 0x88), _mm512_shuffle_ps(a, b, 0xdd));
}

// The order in which sums_of() adds lanes: two neighbours of it, then two such sums, and so on.
[[maybe_unused]] constexpr int64_t kLaneOrder[kWidth] = {0, 8, 4, 12, 2, 10, 6, 14,
                                                         1, 9, 5, 13, 3, 11, 7, 15};

// Lane i of the result is the sum of a[i]'s lanes.
inline Vec sums_of(const Vec (&a)[kWidth]) {
  Vec fours[4];  // quarter q of fours[i] has what is left of a[4 q + i]
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i)
    fours[i] = add_quarters(add_halves(a[i], a[4 + i]), add_halves(a[8 + i], a[12 + i]));
  return add_neighbours(add_pairs(fours[0], fours[1]), add_pairs(fours[2], fours[3]));
}

// A bit for each lane that is not at most `floor`: NaN, here or there, sets it.
inline unsigned above(Vec a, Vec floor) { return _mm512_cmp_ps_mask(a, floor, _CMP_NLE_UQ); }
