// Products of bf16 on processors that have no instructions for them.
#pragma once

#include "../../kernels/isa.h"
#include "../tensor.h"

namespace vssl::engine {

// libtorch leaves convolutions and matrix products of bf16 to plain loops there, which take a hundred times
// as long as those of fp32. A product of two bf16 numbers is exact in fp32, and sums are kept in fp32 in
// either case: made in fp32 and rounded to bf16 at the end, the result is that of a processor which has them,
// but for the order of the sums.
inline bool is_widened(const Tensor& x) {
  return x.is_cpu() && x.scalar_type() == at::kBFloat16 && !selects_avx512_bf16();
}

// What products read: x in fp32 where they are made so, else x. Undefined stays undefined.
inline Tensor widened(const Tensor& x) { return x.defined() && is_widened(x) ? x.to(at::kFloat) : x; }

}  // namespace vssl::engine
