// BatchNorm's passes over every value: forward with ReLU and residual, and back. The equations and their
// roundings are those of the CPU's engine/layers/norm.cpp and norm_kernels.inl. A block first makes what its
// channels multiply and add in shared memory, then a thread keeps that of its few channels in registers.
#include <cmath>
#include <string>

#include "norm_rows.cuh"
#include "training_cuda.h"

namespace vssl::cuda {
namespace {

constexpr int kLeastRows = 4;  // a thread, where there are so many
constexpr int kStatisticsThreads = 128;

struct StatisticsArguments {
  float* mean;
  float* inverse;
  float* running_mean;  ///< null: not moved
  float* running_var;
  const double* moments;
  double rows, eps, momentum;
  int channels;
};

__global__ void __launch_bounds__(kStatisticsThreads)
    batch_statistics(const __grid_constant__ StatisticsArguments a) {
  const int c = static_cast<int>(blockIdx.x) * kStatisticsThreads + static_cast<int>(threadIdx.x);
  if (c >= a.channels) return;
  const double mean = a.moments[c], squares = a.moments[a.channels + c];
  const double var = squares < 0 ? 0 : squares / a.rows;  // rounding; NaN stays
  a.mean[c] = static_cast<float>(mean);
  a.inverse[c] = static_cast<float>(1 / sqrt(var + a.eps));
  if (a.running_mean == nullptr) return;
  const double unbiased = var * (a.rows / (a.rows - 1));
  a.running_mean[c] = static_cast<float>((1 - a.momentum) * a.running_mean[c] + a.momentum * mean);
  a.running_var[c] = static_cast<float>((1 - a.momentum) * a.running_var[c] + a.momentum * unbiased);
}

__global__ void __launch_bounds__(kStatisticsThreads)
    kept_statistics(float* mean, float* inverse, const float* running_mean, const float* running_var,
                    double eps, int channels) {
  const int c = static_cast<int>(blockIdx.x) * kStatisticsThreads + static_cast<int>(threadIdx.x);
  if (c >= channels) return;
  mean[c] = running_mean[c];
  inverse[c] = static_cast<float>(1 / sqrt(running_var[c] + eps));
}

/// Calls make(i, channel) for the block's columns i of a wide row, and waits for all threads.
template <typename Make>
inline __device__ void for_columns(const NormPlan& plan, int columns, Make&& make) {
  for (int i = static_cast<int>(threadIdx.x); i < columns; i += kNormThreads) {
    const int column = static_cast<int>(blockIdx.x) * columns + i;
    if (column < plan.width) make(i, column % plan.channels);
  }
  __syncthreads();
}

/// A thread's kPiece values of an array that for_columns() made.
template <int kPiece>
inline __device__ void keep(float (&values)[kPiece], const float* columns, int at) {
#pragma unroll
  for (int i = 0; i < kPiece; ++i) values[i] = columns[at + i];
}

struct ForwardArguments {
  void* y;
  const void* x;
  const void* residual;
  const float* gamma;
  const float* beta;
  const float* mean;
  const float* inverse;
  bool relu;
};

template <bool kResidual, Element kType, bool kAligned>
__global__ void __launch_bounds__(kNormThreads, 2)
    normalize_channels(const __grid_constant__ NormPlan plan, const __grid_constant__ ForwardArguments a) {
  using F = Format<kType>;
  constexpr int kPiece = F::kPiece;
  const int columns = plan.across * kPiece;
  float* const scales = reinterpret_cast<float*>(shared_memory());
  float* const shifts = scales + columns;
  for_columns(plan, columns, [&](int i, int c) {
    scales[i] = a.gamma[c] * a.inverse[c];
    shifts[i] = fmaf(-a.mean[c], scales[i], a.beta == nullptr ? 0.0f : a.beta[c]);
  });
  const NormPlace place = norm_place<kType>(plan);
  const int at = static_cast<int>(threadIdx.x) % plan.across * kPiece;
  float scale[kPiece], shift[kPiece];
  keep(scale, scales, at);
  keep(shift, shifts, at);
  constexpr int kInputs = kResidual ? 2 : 1;
  const auto take = [&](const uint4(&pieces)[kInputs], int64_t offset, int count) {
    float x[kPiece], added[kPiece] = {};
    F::widen(x, pieces[0]);
    if constexpr (kResidual) F::widen(added, pieces[1]);
#pragma unroll
    for (int i = 0; i < kPiece; ++i) {
      float y = x[i] * scale[i] + shift[i];
      if (kResidual) y += added[i];
      x[i] = a.relu && y < 0.0f ? 0.0f : y;  // keeps NaN
    }
    store_piece<kType, kAligned>(static_cast<typename F::Stored*>(a.y) + offset, F::narrow(x), count);
  };
  const void* inputs[kInputs];
  inputs[0] = a.x;
  if constexpr (kResidual) inputs[1] = a.residual;
  for_pieces<kType, kAligned>(plan, place, inputs, take, [] {});
}

struct BackwardArguments {
  void* grad_x;
  void* grad_residual;
  float* grad_gamma;
  float* grad_beta;
  const double* own_sums;
  const double* all_sums;
  double share;  ///< 1 / rows; 0: mean and deviation are constants
  const void* grad_y;
  const void* y;
  const void* x;
  const float* gamma;
  const float* mean;
  const float* inverse;
};

/// dL/dx = slope g + (along (x - mean) + level) of each column, in four arrays of shared memory; and the
/// gradients of gamma and beta, written by one block for each channel.
inline __device__ void make_slopes(float* slopes, const NormPlan& plan, int columns,
                                   const BackwardArguments& a) {
  for_columns(plan, columns, [&](int i, int c) {
    const double inverse = a.inverse[c];
    const float slope = a.gamma[c] * a.inverse[c];
    const double part = -static_cast<double>(slope) * a.share;
    const bool batch = a.share > 0;
    slopes[i] = slope;
    slopes[columns + i] =
        batch ? static_cast<float>(part * inverse * inverse * a.all_sums[plan.channels + c]) : 0.0f;
    slopes[2 * columns + i] = batch ? static_cast<float>(part * a.all_sums[c]) : 0.0f;
    slopes[3 * columns + i] = a.mean[c];
    if (blockIdx.y != 0 || static_cast<int>(blockIdx.x) * columns + i != c) return;
    a.grad_gamma[c] = static_cast<float>(a.own_sums[plan.channels + c] * inverse);
    if (a.grad_beta != nullptr) a.grad_beta[c] = static_cast<float>(a.own_sums[c]);
  });
}

template <bool kMasked, Element kType, bool kAligned>
__global__ void __launch_bounds__(kNormThreads, 2)
    lead_back(const __grid_constant__ NormPlan plan, const __grid_constant__ BackwardArguments a) {
  using F = Format<kType>;
  using Stored = typename F::Stored;
  constexpr int kPiece = F::kPiece;
  const int columns = plan.across * kPiece;
  float* const slopes = reinterpret_cast<float*>(shared_memory());
  make_slopes(slopes, plan, columns, a);
  const NormPlace place = norm_place<kType>(plan);
  const int at = static_cast<int>(threadIdx.x) % plan.across * kPiece;
  float slope[kPiece], along[kPiece], level[kPiece], mean[kPiece];
  keep(slope, slopes, at);
  keep(along, slopes + columns, at);
  keep(level, slopes + 2 * columns, at);
  keep(mean, slopes + 3 * columns, at);
  constexpr int kInputs = kMasked ? 3 : 2;
  const auto take = [&](const uint4(&pieces)[kInputs], int64_t offset, int count) {
    float x[kPiece], g[kPiece];
    F::widen(x, pieces[0]);
    gradient_of<kType>(g, pieces);
#pragma unroll
    for (int i = 0; i < kPiece; ++i) x[i] = slope[i] * g[i] + (along[i] * (x[i] - mean[i]) + level[i]);
    store_piece<kType, kAligned>(static_cast<Stored*>(a.grad_x) + offset, F::narrow(x), count);
    if (a.grad_residual == nullptr) return;
    store_piece<kType, kAligned>(static_cast<Stored*>(a.grad_residual) + offset, F::narrow(g), count);
  };
  const void* inputs[kInputs];
  inputs[0] = a.x;
  inputs[1] = a.grad_y;
  if constexpr (kMasked) inputs[2] = a.y;
  for_pieces<kType, kAligned>(plan, place, inputs, take, [] {});
}

using ForwardKernel = void (*)(NormPlan, ForwardArguments);
using BackwardKernel = void (*)(NormPlan, BackwardArguments);

template <Element kType>
ForwardKernel forward_kernel(bool residual, bool aligned) {
  if (residual)
    return aligned ? normalize_channels<true, kType, true> : normalize_channels<true, kType, false>;
  return aligned ? normalize_channels<false, kType, true> : normalize_channels<false, kType, false>;
}

template <Element kType>
BackwardKernel backward_kernel(bool masked, bool aligned) {
  if (masked) return aligned ? lead_back<true, kType, true> : lead_back<true, kType, false>;
  return aligned ? lead_back<false, kType, true> : lead_back<false, kType, false>;
}

LaunchShape statistics_launch(const NormShape& shape) {
  LaunchShape launch = {};
  launch.grid = dim3(static_cast<unsigned>(ceil_div(shape.channels, kStatisticsThreads)));
  launch.threads = kStatisticsThreads;
  return launch;
}

void validate_settings(const NormSettings& settings) {
  if (!std::isfinite(settings.eps) || settings.eps < 0) {
    throw Error(kInvalidArgument,
                "expected a finite number >= 0 for eps but received " + std::to_string(settings.eps));
  }
  if (!(settings.momentum >= 0 && settings.momentum <= 1)) {
    throw Error(kInvalidArgument,
                "expected 0 to 1 for momentum but received " + std::to_string(settings.momentum));
  }
}

void validate_all_rows(int64_t rows, const NormShape& shape) {
  if (rows < shape.rows) {
    throw Error(kInvalidArgument, "expected the rows of all ranks, " + std::to_string(shape.rows) +
                                      " or more, but received " + std::to_string(rows));
  }
}

void run_forward(const ForwardArguments& arguments, const NormShape& shape, cudaStream_t stream) {
  const NormPlan plan = norm_plan(shape, kNormBlocks, kLeastRows);
  const bool aligned = aligned_to_pieces({arguments.y, arguments.x, arguments.residual});
  for_type(shape.type, [&](auto type) {
    constexpr Element kType = decltype(type)::value;
    const int columns = plan.across * Format<kType>::kPiece;
    launch("normalising channels", forward_kernel<kType>(arguments.residual != nullptr, aligned),
           norm_launch(plan, 2 * sizeof(float) * static_cast<std::size_t>(columns)), stream, plan, arguments);
  });
}

}  // namespace

void norm_forward(void* y, float* mean, float* inverse, float* running_mean, float* running_var,
                  const double* moments, int64_t rows, const void* x, const float* gamma, const float* beta,
                  const void* residual, const NormShape& shape, const NormSettings& settings,
                  cudaStream_t stream) {
  validate_norm(shape);
  validate_settings(settings);
  validate_all_rows(rows, shape);
  require_pointers({y, mean, inverse, moments, x, gamma});
  if ((running_mean == nullptr) != (running_var == nullptr))
    throw Error(kInvalidArgument, "expected both running statistics or neither");
  if (running_mean != nullptr && rows < 2)
    throw Error(kInvalidArgument, "expected 2 rows or more where running statistics move");
  launch("taking a batch's statistics", batch_statistics, statistics_launch(shape), stream,
         StatisticsArguments{mean, inverse, running_mean, running_var, moments, static_cast<double>(rows),
                             settings.eps, settings.momentum, static_cast<int>(shape.channels)});
  run_forward({y, x, residual, gamma, beta, mean, inverse, settings.relu}, shape, stream);
}

void norm_infer(void* y, float* mean, float* inverse, const float* running_mean, const float* running_var,
                const void* x, const float* gamma, const float* beta, const void* residual,
                const NormShape& shape, const NormSettings& settings, cudaStream_t stream) {
  validate_norm(shape);
  validate_settings(settings);
  require_pointers({y, mean, inverse, running_mean, running_var, x, gamma});
  launch("taking running statistics", kept_statistics, statistics_launch(shape), stream, mean, inverse,
         running_mean, running_var, settings.eps, static_cast<int>(shape.channels));
  run_forward({y, x, residual, gamma, beta, mean, inverse, settings.relu}, shape, stream);
}

void norm_backward(void* grad_x, void* grad_residual, float* grad_gamma, float* grad_beta,
                   const double* own_sums, const double* all_sums, int64_t rows, const void* grad_y,
                   const void* y, const void* x, const float* gamma, const float* mean, const float* inverse,
                   const NormShape& shape, cudaStream_t stream) {
  validate_norm(shape);
  if (rows != 0) validate_all_rows(rows, shape);
  require_pointers({grad_x, grad_gamma, own_sums, all_sums, grad_y, x, gamma, mean, inverse});
  if (grad_residual == grad_x) throw Error(kInvalidArgument, "expected grad_residual apart from grad_x");
  const BackwardArguments arguments = {grad_x,
                                       grad_residual,
                                       grad_gamma,
                                       grad_beta,
                                       own_sums,
                                       all_sums,
                                       rows == 0 ? 0 : 1 / static_cast<double>(rows),
                                       grad_y,
                                       y,
                                       x,
                                       gamma,
                                       mean,
                                       inverse};
  const NormPlan plan = norm_plan(shape, kNormBlocks, kLeastRows);
  const bool aligned = aligned_to_pieces({grad_x, grad_residual, grad_y, y, x});
  for_type(shape.type, [&](auto type) {
    constexpr Element kType = decltype(type)::value;
    const int columns = plan.across * Format<kType>::kPiece;
    launch("BatchNorm's way back", backward_kernel<kType>(y != nullptr, aligned),
           norm_launch(plan, 4 * sizeof(float) * static_cast<std::size_t>(columns)), stream, plan, arguments);
  });
}

}  // namespace vssl::cuda
