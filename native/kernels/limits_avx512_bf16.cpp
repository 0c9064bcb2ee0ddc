// The multiply-add of bf16 pairs for AVX-512 BF16.
#include "limits_loops.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#include "target_avx512_bf16.inl"

namespace vssl::limits {
namespace avx512_bf16 {
namespace {

#include "isa_avx512_bf16.inl"

constexpr int kChainRows = 8;
constexpr int kChainColumns = 3;
inline Vec chain(Vec acc, Vec a, Vec b) { return pairs::fma(a, b, acc); }

#include "limits_chains.inl"

const Bf16Loop kLoop = {multiply_add, 4.0 * kWidth* kChainRows* kChainColumns};

}  // namespace
}  // namespace avx512_bf16
}  // namespace vssl::limits

#include "target_end.inl"

#endif

namespace vssl::limits {

const Bf16Loop* bf16_loop() {
#if defined(__x86_64__) && defined(__GNUC__)
  if (selects_avx512_bf16()) return &avx512_bf16::kLoop;
#endif
  return nullptr;
}

}  // namespace vssl::limits
