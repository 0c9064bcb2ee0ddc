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
/// ignored. `queue_ids`, one a queued key, where options.ids has those of the queries.
/// gradient  rows x dim or null;  queries  rows x dim;  keys  rows x dim
/// Memory: rows * dim + length; time: rows * length * dim.
double info_nce_reference(double* gradient, const double* queries, const double* keys, int64_t rows,
                          int64_t dim, const double* queue_keys, const double* ages, int64_t length,
                          const MomentumQueueOptions& queue_options, const InfoNceOptions& options,
                          const int64_t* queue_ids = nullptr);

/// As dct(). out keep x pixels (frames x pixels when inverse). Time: frames^2 * pixels.
void dct_reference(double* out, const double* clip, int64_t frames, int64_t pixels,
                   const DctOptions& options);

/// As dct_motion(), through all coefficients.
void dct_motion_reference(double* out, const double* clip, int64_t frames, int64_t pixels,
                          const DctMotionOptions& options);

/// As frame_difference().
void frame_difference_reference(double* out, const double* clip, int64_t frames, int64_t pixels);

/// As ema_update() of one span.
void ema_update_reference(double* target, const double* source, int64_t size, double momentum);

/// As normalize_rows().
void normalize_rows_reference(double* z, const double* x, int64_t rows, int64_t dim);

/// As normalize_rows_backward().
void normalize_rows_backward_reference(double* gradient, const double* grad_z, const double* x, int64_t rows,
                                       int64_t dim);

/// As topk_dot(), over rows of double that have their scales in them. indices, scores  query_count x min(k,
/// count). Memory: count; time: query_count * (count * dim + count log(count)).
void topk_dot_reference(int32_t* indices, double* scores, const double* queries, int64_t query_count,
                        const double* rows, int64_t count, int64_t dim, int64_t k);

}  // namespace vssl
