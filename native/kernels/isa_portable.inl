// Vectors of four lanes in plain C++, which compilers map to SSE2 or NEON. Included by isa_each.inl.

constexpr int kWidth = 4;
constexpr int kMicroRows = 4;
constexpr int kMicroVecs = 2;

typedef float Vec __attribute__((vector_size(16)));
typedef uint32_t IntVec __attribute__((vector_size(16)));

inline Vec set1(float x) { return Vec{x, x, x, x}; }
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
inline Vec load(const int8_t* p) {
  typedef int8_t Bytes __attribute__((vector_size(4)));
  Bytes bytes;
  std::memcpy(&bytes, p, sizeof bytes);
  return __builtin_convertvector(bytes, Vec);
}
inline Vec load_bf16(const uint16_t* p) { return (Vec)(IntVec{p[0], p[1], p[2], p[3]} << 16); }
// An fp16's exponent and fraction are those of an fp32 2^112 times as large, denormals included; what would
// pass the largest is infinite or NaN.
inline Vec load_fp16(const uint16_t* p) {
  const IntVec half = {p[0], p[1], p[2], p[3]};
  const IntVec size = (half & 0x7fff) << 13;
  const IntVec special = (IntVec)(size >= 0x0f800000u) & 0x7f800000u;
  return (Vec)((IntVec)((Vec)size * set1(0x1p112f)) | special | (half & 0x8000) << 16);
}
inline void store(float* p, Vec v) { std::memcpy(p, &v, sizeof v); }
#if defined(__SSE2__)
inline void stream(float* p, Vec v) { _mm_stream_ps(p, (__m128)v); }  // p is aligned; past the caches
inline void finish_streaming() { _mm_sfence(); }
#else
inline void stream(float* p, Vec v) { store(p, v); }
inline void finish_streaming() {}
#endif
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

inline Vec both(Vec a, Vec b) { return (Vec)((IntVec)a & (IntVec)b); }

// The order in which sums_of() adds lanes: two neighbours of it, then two such sums, and so on.
[[maybe_unused]] constexpr int64_t kLaneOrder[kWidth] = {0, 2, 1, 3};

// Lane i of the result is the sum of a[i]'s lanes.
inline Vec sums_of(const Vec (&a)[kWidth]) {
  Vec sums;
  for (int i = 0; i < kWidth; ++i) sums[i] = (a[i][0] + a[i][2]) + (a[i][1] + a[i][3]);
  return sums;
}

// A bit for each lane that is not at most `floor`: NaN, here or there, sets it.
inline unsigned above(Vec a, Vec floor) {
  unsigned bits = 0;
  for (int i = 0; i < kWidth; ++i) bits |= (a[i] <= floor[i] ? 0u : 1u) << i;
  return bits;
}
