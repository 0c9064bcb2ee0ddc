// Slow double-precision twins of the kernels, written from the formulas in kernels.h. Never optimised: they
// are what the fast ones are tested against.
#pragma once

#include <cstdint>

#include "kernels.h"

namespace vssl {

/// As nt_xent(), in double throughout; `precision` and `threads` are ignored.
/// gradient    rows x dim or null
/// embeddings  rows x dim
/// Memory: rows * dim; time: rows^2 * dim.
NtXentResult nt_xent_reference(double* gradient, const double* embeddings, int64_t rows, int64_t dim,
                               const NtXentOptions& options);

}  // namespace vssl
