// Slow double-precision twins of the kernels, written from the formulas in kernels.h. Never optimised: they
// are what the fast ones are tested against.
#pragma once

#include <cstdint>

#include "kernels.h"
#include "queue.h"

namespace vssl {

/// As nt_xent(), in double throughout; `precision` and `threads` are ignored.
/// gradient    rows x dim or null
/// embeddings  rows x dim
/// Memory: rows * dim; time: rows^2 * dim.
NtXentResult nt_xent_reference(double* gradient, const double* embeddings, int64_t rows, int64_t dim,
                               const NtXentOptions& options);

/// As info_nce(), in double throughout, against `queue_keys` (length x dim, taken as they are) of `ages`,
/// with the decay of `queue_options`; its capacity, dim, init and seed, and `precision` and `threads`, are
/// ignored. gradient  rows x dim or null queries   rows x dim;  keys  rows x dim Memory: rows * dim + length;
/// time: rows * length * dim.
double info_nce_reference(double* gradient, const double* queries, const double* keys, int64_t rows,
                          int64_t dim, const double* queue_keys, const double* ages, int64_t length,
                          const MomentumQueueOptions& queue_options, const InfoNceOptions& options);

}  // namespace vssl
