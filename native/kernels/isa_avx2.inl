// Vectors of 8 floats for AVX2 with FMA, and how many of them a product keeps in registers.
// Included by isa_each.inl.

using Vec = __m256;
constexpr int kWidth = 8;
constexpr int kMicroRows = 4;
constexpr int kMicroVecs = 2;

inline Vec load(const float* p) { return _mm256_loadu_ps(p); }
inline Vec load(const uint8_t* p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
}
inline Vec load(const int8_t* p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
}
inline __m256i load_words(const uint16_t* p) {
  return _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
inline Vec load_bf16(const uint16_t* p) { return _mm256_castsi256_ps(_mm256_slli_epi32(load_words(p), 16)); }
// An fp16's exponent and fraction are those of an fp32 2^112 times as large, denormals included; what would
// pass the largest is infinite or NaN. (F16C does this too, but need not be there.)
inline Vec load_fp16(const uint16_t* p) {
  const __m256i half = load_words(p);
  const __m256i size = _mm256_slli_epi32(_mm256_and_si256(half, _mm256_set1_epi32(0x7fff)), 13);
  const __m256i sign = _mm256_slli_epi32(_mm256_andnot_si256(_mm256_set1_epi32(0x7fff), half), 16);
  const __m256i is_special = _mm256_cmpgt_epi32(size, _mm256_set1_epi32(0x0f7fffff));
  const __m256i special = _mm256_and_si256(is_special, _mm256_set1_epi32(0x7f800000));
  const Vec scaled = _mm256_mul_ps(_mm256_castsi256_ps(size), _mm256_set1_ps(0x1p112f));
  return _mm256_or_ps(scaled, _mm256_castsi256_ps(_mm256_or_si256(sign, special)));
}
inline void store(float* p, Vec v) { _mm256_storeu_ps(p, v); }
inline void stream(float* p, Vec v) { _mm256_stream_ps(p, v); }  // p is aligned; past the caches
inline void finish_streaming() { _mm_sfence(); }
inline Vec zero() { return _mm256_setzero_ps(); }
inline Vec set1(float x) { return _mm256_set1_ps(x); }
inline Vec add(Vec a, Vec b) { return _mm256_add_ps(a, b); }
inline Vec sub(Vec a, Vec b) { return _mm256_sub_ps(a, b); }
inline Vec mul(Vec a, Vec b) { return _mm256_mul_ps(a, b); }
inline Vec max(Vec a, Vec b) { return _mm256_max_ps(a, b); }
inline Vec fma(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
inline Vec round_to_int(Vec a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }

// Adds n to the exponent field; p is in [0.7, 1.5] and n in [-125, 126].
inline Vec scale_by_exp2(Vec p, Vec n) {
  const __m256i exponent = _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23);
  return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), exponent));
}

inline Vec both(Vec a, Vec b) { return _mm256_and_ps(a, b); }

// The order in which sums_of() adds lanes: two neighbours of it, then two such sums, and so on.
[[maybe_unused]] constexpr int64_t kLaneOrder[kWidth] = {0, 1, 2, 3, 4, 5, 6, 7};

// Lane i of the result is the sum of a[i]'s lanes.
inline Vec sums_of(const Vec (&a)[kWidth]) {
  const Vec first = _mm256_hadd_ps(_mm256_hadd_ps(a[0], a[1]), _mm256_hadd_ps(a[2], a[3]));
  const Vec last = _mm256_hadd_ps(_mm256_hadd_ps(a[4], a[5]), _mm256_hadd_ps(a[6], a[7]));
  return _mm256_add_ps(_mm256_permute2f128_ps(first, last, 0x20), _mm256_permute2f128_ps(first, last, 0x31));
}

// A bit for each lane that is not at most `floor`: NaN, here or there, sets it.
inline unsigned above(Vec a, Vec floor) {
  return static_cast<unsigned>(_mm256_movemask_ps(_mm256_cmp_ps(a, floor, _CMP_NLE_UQ)));
}
