// The loops of limits.h in plain C++: four lanes, which compilers map to SSE2 or NEON.
#include <cstdint>
#include <cstring>

#include "limits_loops.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace vssl::limits {
namespace portable {
namespace {

#include "isa_portable.inl"

constexpr int kChainRows = 6;
constexpr int kChainColumns = 2;

typedef uint8_t Bytes __attribute__((vector_size(4)));

inline Vec chain(Vec acc, Vec a, Vec b) { return fma(acc, a, b); }
inline float first(Vec a) { return a[0]; }
inline Vec widen_bytes(const uint8_t* p) {
  Bytes bytes;
  std::memcpy(&bytes, p, sizeof bytes);
  return __builtin_convertvector(bytes, Vec);
}

#if defined(__SSE2__)
inline void stream(float* p, Vec v) { _mm_stream_ps(p, (__m128)v); }
inline void finish_streaming() { _mm_sfence(); }
#else
inline void stream(float* p, Vec v) { store(p, v); }
inline void finish_streaming() {}
#endif

#include "limits_chains.inl"
#include "limits_streams.inl"

const LimitLoops kTable = {multiply_add, 2.0 * kWidth* kChainRows* kChainColumns, copy, widen, triad};

}  // namespace
}  // namespace portable

const LimitLoops& portable_loops() { return portable::kTable; }

}  // namespace vssl::limits
