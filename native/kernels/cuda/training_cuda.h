// BatchNorm with what follows it, and the optimisers' updates, on CUDA devices. The common rules of
// kernels_cuda.h hold: pointers to device memory, everything in stream order, no allocation, workspace of the
// caller's.
//
// BatchNorm in training is two calls, because ranks join their moments between them:
//
//   norm_moments    the batch's mean and squares of each channel
//   norm_forward    y = relu((x - mean) / sqrt(var + eps) gamma + beta + residual); moves running statistics
//
// and so is its backward: norm_backward_sums, norm_backward.
#pragma once

#include <cstddef>

#include "../training.h"
#include "kernels_cuda.h"

namespace vssl::cuda {

/// Of each channel its mean and the sum of squared distances to it, over all rows: moments[0 .. C) and
/// moments[C .. 2C). Sums are taken of the distance to the first row, so that a mean that is large against
/// the deviation costs no digits.
///
/// x  rows x channels;  workspace  norm_workspace(shape) bytes
void norm_moments(double* moments, const void* x, const NormShape& shape, void* workspace,
                  std::size_t workspace_bytes, cudaStream_t stream);
std::size_t norm_workspace(const NormShape& shape);

/// y, and what the backward needs of the statistics.
///
/// y            rows x channels; may be x or residual
/// mean         channels, fp32;  inverse  channels, 1 / sqrt(var + eps)
/// running_*    channels each, moved by settings.momentum with the unbiased variance, which takes 2 rows or
///              more; both null: not moved
/// moments      as norm_moments() gives them, of `rows` rows in all (those of all ranks): shape.rows or more
/// gamma        channels;  beta  channels or null;  residual  rows x channels or null
void norm_forward(void* y, float* mean, float* inverse, float* running_mean, float* running_var,
                  const double* moments, int64_t rows, const void* x, const float* gamma, const float* beta,
                  const void* residual, const NormShape& shape, const NormSettings& settings,
                  cudaStream_t stream);

/// The same with the running statistics in place of the batch's: inference, and training that leaves them.
/// Writes mean and inverse too.
void norm_infer(void* y, float* mean, float* inverse, const float* running_mean, const float* running_var,
                const void* x, const float* gamma, const float* beta, const void* residual,
                const NormShape& shape, const NormSettings& settings, cudaStream_t stream);

/// With g = dL/dy where ReLU let it through (y > 0; y null: everywhere), of each channel
/// sums[0 .. C) = sum g,  sums[C .. 2C) = sum g (x - mean).
void norm_backward_sums(double* sums, const void* grad_y, const void* y, const void* x, const float* mean,
                        const NormShape& shape, void* workspace, std::size_t workspace_bytes,
                        cudaStream_t stream);

/// dL/dx = gamma inverse (g - S1 / n - (x - mean) inverse^2 S2 / n) with the sums S1, S2 of all `rows` rows
/// (those of all ranks); with `rows` 0, the statistics being constants, gamma inverse g. dL/dgamma = inverse
/// s2 and dL/dbeta = s1 with this rank's own sums s1, s2.
///
/// grad_x         rows x channels; may be grad_y
/// grad_residual  rows x channels, g; null where nobody wants it. Not grad_x
/// grad_gamma     channels;  grad_beta  channels or null
/// own_sums, all_sums  2 x channels each; one array where there is one rank
void norm_backward(void* grad_x, void* grad_residual, float* grad_gamma, float* grad_beta,
                   const double* own_sums, const double* all_sums, int64_t rows, const void* grad_y,
                   const void* y, const void* x, const float* gamma, const float* mean, const float* inverse,
                   const NormShape& shape, cudaStream_t stream);

/// sums[into] = the sum of all spans of that `into`, in double, for into 0 .. outputs - 1; in an order that
/// depends on the sizes alone. A NaN or infinity stays within its sum. Spans are read from host memory at the
/// call. outputs  1 to 2^24
///
/// workspace  square_sums_workspace(spans, count, outputs) bytes
void square_sums(double* sums, int64_t outputs, const SquareSpan* spans, int64_t count, void* workspace,
                 std::size_t workspace_bytes, cudaStream_t stream);
std::size_t square_sums_workspace(const SquareSpan* spans, int64_t count, int64_t outputs);

/// Updates of many parameters, few launches. Spans are read from host memory at the call; no two may overlap.
///
/// squares  null, or 2 x count: |p|^2 of each span, then |g|^2 of each (g with decay, after scaling). Where a
///          span's trust and both of its squares are above 0, inner is multiplied by trust |p| / |g|
void momentum_update(const MomentumSpan* spans, int64_t count, double momentum, bool nesterov,
                     const double* squares, cudaStream_t stream);
void adam_update(const AdamSpan* spans, int64_t count, const AdamSettings& settings, cudaStream_t stream);

}  // namespace vssl::cuda
