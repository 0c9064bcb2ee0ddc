// Vectors of four lanes in plain C++, which compilers map to SSE2 or NEON. Included by isa_each.inl.

constexpr int kWidth = 4;
constexpr int kMicroRows = 4;
constexpr int kMicroVecs = 2;

typedef float Vec __attribute__((vector_size(16)));
typedef uint32_t IntVec __attribute__((vector_size(16)));

inline Vec load(const float* p) {
  Vec v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
inline Vec load(const uint8_t* p) {
  typedef uint8_t Bytes __attribute__((vector_size(4)));
  Bytes bytes;
  std::memcpy(&bytes, p, sizeof bytes);
  return __builtin_convertvector(bytes, Vec);
}
inline void store(float* p, Vec v) { std::memcpy(p, &v, sizeof v); }
#if defined(__SSE2__)
inline void stream(float* p, Vec v) { _mm_stream_ps(p, (__m128)v); }  // p is aligned; past the caches
inline void finish_streaming() { _mm_sfence(); }
#else
inline void stream(float* p, Vec v) { store(p, v); }
inline void finish_streaming() {}
#endif
inline Vec set1(float x) { return Vec{x, x, x, x}; }
inline Vec zero() { return set1(0); }
inline Vec add(Vec a, Vec b) { return a + b; }
inline Vec sub(Vec a, Vec b) { return a - b; }
inline Vec mul(Vec a, Vec b) { return a * b; }
inline Vec max(Vec a, Vec b) { return a > b ? a : b; }

inline Vec fma(Vec a, Vec b, Vec c) {
#if defined(__ARM_FEATURE_FMA)
  return Vec{__builtin_fmaf(a[0], b[0], c[0]), __builtin_fmaf(a[1], b[1], c[1]),
             __builtin_fmaf(a[2], b[2], c[2]), __builtin_fmaf(a[3], b[3], c[3])};
#else
  return a * b + c;
#endif
}

// Adding 1.5 * 2^23 rounds to the nearest integer for |x| < 2^22.
constexpr float kRounder = 12582912.0f;
inline Vec round_to_int(Vec a) { return (a + set1(kRounder)) - set1(kRounder); }

// Adds n to the exponent field; p is in [0.7, 1.5] and n in [-125, 126].
inline Vec scale_by_exp2(Vec p, Vec n) {
  const Vec shifted = n + set1(kRounder);
  IntVec bits, exponent;
  std::memcpy(&bits, &p, sizeof p);
  std::memcpy(&exponent, &shifted, sizeof shifted);
  bits += exponent << 23;  // the low bits of the rounded sum are n
  std::memcpy(&p, &bits, sizeof p);
  return p;
}
