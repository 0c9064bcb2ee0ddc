// The loops of limits.h in plain C++: four lanes, which compilers map to SSE2 or NEON.
#include <cstring>

#include "limits_loops.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace vssl::limits {
namespace portable {
namespace {

constexpr int kWidth = 4;
constexpr int kChainRows = 6;
constexpr int kChainColumns = 2;

typedef float Vec __attribute__((vector_size(16)));
typedef uint8_t Bytes __attribute__((vector_size(4)));

inline Vec load(const float* p) {
  Vec v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
inline void store(float* p, Vec v) { std::memcpy(p, &v, sizeof v); }
inline Vec set1(float x) { return Vec{x, x, x, x}; }
inline Vec zero() { return set1(0); }
inline Vec add(Vec a, Vec b) { return a + b; }
inline Vec mul(Vec a, Vec b) { return a * b; }
inline float first(Vec a) { return a[0]; }
inline Vec widen_bytes(const uint8_t* p) {
  Bytes bytes;
  std::memcpy(&bytes, p, sizeof bytes);
  return __builtin_convertvector(bytes, Vec);
}

#if defined(__SSE2__)
inline void stream(float* p, Vec v) { _mm_stream_ps(p, (__m128)v); }
inline void finish_streams() { _mm_sfence(); }
#else
inline void stream(float* p, Vec v) { store(p, v); }
inline void finish_streams() {}
#endif

inline Vec fma(Vec a, Vec b, Vec c) {
#if defined(__ARM_FEATURE_FMA)
  return Vec{__builtin_fmaf(a[0], b[0], c[0]), __builtin_fmaf(a[1], b[1], c[1]),
             __builtin_fmaf(a[2], b[2], c[2]), __builtin_fmaf(a[3], b[3], c[3])};
#else
  return a * b + c;
#endif
}
inline Vec chain(Vec acc, Vec a, Vec b) { return fma(acc, a, b); }

#include "limits_chains.inl"
#include "limits_streams.inl"

const LimitLoops kTable = {multiply_add, 2.0 * kWidth* kChainRows* kChainColumns, copy, widen, triad};

}  // namespace
}  // namespace portable

const LimitLoops& portable_loops() { return portable::kTable; }

}  // namespace vssl::limits
