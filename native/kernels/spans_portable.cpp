// Loops over long spans in plain C++: four lanes, which compilers map to SSE2 or NEON.
#include <cstring>
#include <type_traits>

#include "cosines.h"
#include "spans.h"

namespace vssl::spans {
namespace portable {
namespace {

constexpr int kWidth = 4;
constexpr int kMicroVecs = 2;

typedef float Vec __attribute__((vector_size(16)));

inline Vec load(const float* p) {
  Vec v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
inline Vec load(const uint8_t* p) {
  return Vec{static_cast<float>(p[0]), static_cast<float>(p[1]), static_cast<float>(p[2]),
             static_cast<float>(p[3])};
}
inline void store(float* p, Vec v) { std::memcpy(p, &v, sizeof v); }
inline void stream(float* p, Vec v) { store(p, v); }
inline void finish_streaming() {}
inline Vec set1(float x) { return Vec{x, x, x, x}; }
inline Vec zero() { return set1(0); }
inline Vec add(Vec a, Vec b) { return a + b; }
inline Vec sub(Vec a, Vec b) { return a - b; }
inline Vec mul(Vec a, Vec b) { return a * b; }

inline Vec fma(Vec a, Vec b, Vec c) {
#if defined(__ARM_FEATURE_FMA)
  return Vec{__builtin_fmaf(a[0], b[0], c[0]), __builtin_fmaf(a[1], b[1], c[1]),
             __builtin_fmaf(a[2], b[2], c[2]), __builtin_fmaf(a[3], b[3], c[3])};
#else
  return a * b + c;
#endif
}

#include "dct_any.inl"
#include "dct_motion.inl"
#include "dct_unrolled.inl"
#include "spans.inl"

}  // namespace
}  // namespace portable

const SpanKernels& portable_spans() { return portable::kTable; }

}  // namespace vssl::spans
