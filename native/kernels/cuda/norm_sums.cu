// BatchNorm's sums over the rows of each channel: moments on the way forward, two sums on the way back.
// Blocks leave their parts in the workspace; a second launch adds the parts up, in an order that depends on
// sizes alone. A thread adds up to 16 values in fp32, all else is in double.
#include "norm_rows.cuh"
#include "training_cuda.h"

namespace vssl::cuda {
namespace {

constexpr int kLeastRows = 8;  // a thread: fewer would not pay for its block's parts

enum class Sums {
  kMoments,         ///< x - first row, and its square
  kGradient,        ///< g, and g (x - mean)
  kMaskedGradient,  ///< the same where y > 0
};

struct SumArguments {
  const void* x;
  const void* grad_y;
  const void* y;
  const float* mean;
  double* parts;  ///< slices x 2 x width
};

/// Adds up what groups of `stride` neighbouring threads hold, pairs of groups first; the first group gets the
/// sums. `scratch` has room for kCount values of every thread.
template <int kCount>
inline __device__ void add_groups(double (&values)[kCount], double* scratch, int stride, int groups) {
  const int thread = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x);
#pragma unroll
  for (int i = 0; i < kCount; ++i) scratch[i * threads + thread] = values[i];
  while (groups > 1) {
    const int kept = (groups + 1) / 2;
    __syncthreads();
    if (thread < (groups - kept) * stride) {
#pragma unroll
      for (int i = 0; i < kCount; ++i)
        scratch[i * threads + thread] += scratch[i * threads + thread + kept * stride];
    }
    groups = kept;
  }
#pragma unroll
  for (int i = 0; i < kCount; ++i) values[i] = scratch[i * threads + thread];
}

template <Sums kSums, Element kType, bool kAligned>
__global__ void __launch_bounds__(kNormThreads, 2)
    sum_channels(const __grid_constant__ NormPlan plan, const __grid_constant__ SumArguments a) {
  using F = Format<kType>;
  constexpr int kPiece = F::kPiece;
  constexpr bool kMoments = kSums == Sums::kMoments;
  constexpr int kInputs = kMoments ? 1 : kSums == Sums::kGradient ? 2 : 3;
  const NormPlace place = norm_place<kType>(plan);
  float center[kPiece], first[kPiece] = {}, second[kPiece] = {};
  double sums[2 * kPiece] = {};
#pragma unroll
  for (int i = 0; i < kPiece; ++i) {
    const int channel = (place.column + i) % plan.channels;
    center[i] = kMoments ? value_at<kType>(a.x, channel) : a.mean[channel];
  }
  const auto take = [&](const uint4(&pieces)[kInputs], int64_t, int count) {
    float x[kPiece], g[kPiece];
    F::widen(x, pieces[0]);
    if constexpr (!kMoments) gradient_of<kType>(g, pieces);
#pragma unroll
    for (int i = 0; i < kPiece; ++i) {
      if (i >= count) continue;
      const float distance = x[i] - center[i];
      const float term = kMoments ? distance : g[i];
      first[i] += term;
      second[i] = fmaf(term, distance, second[i]);
    }
  };
  const auto pause = [&] {
#pragma unroll
    for (int i = 0; i < kPiece; ++i) {
      sums[i] += first[i];
      sums[kPiece + i] += second[i];
      first[i] = second[i] = 0;
    }
  };
  const void* const all[3] = {a.x, a.grad_y, a.y};
  const void* inputs[kInputs];
#pragma unroll
  for (int i = 0; i < kInputs; ++i) inputs[i] = all[i];
  for_pieces<kType, kAligned>(plan, place, inputs, take, pause);
  add_groups(sums, reinterpret_cast<double*>(shared_memory()), plan.across, place.step);
  if (!place.exists || static_cast<int>(threadIdx.x) >= plan.across) return;
  double* const to = a.parts + static_cast<int64_t>(blockIdx.y) * 2 * plan.width + place.column;
#pragma unroll
  for (int i = 0; i < kPiece; ++i) {
    to[i] = sums[i];
    to[plan.width + i] = sums[kPiece + i];
  }
}

constexpr int kMostLanes = 256;     // that share a channel
constexpr int kFinishChannels = 4;  // of a block: 32 bytes of a row of parts, one memory sector

struct FinishArguments {
  double* out;          ///< 2 x channels
  const double* parts;  ///< slices x 2 x width
  const void* x;        ///< null: the sums as they are; else they are of x less its first row
  Element type;
  int64_t rows;
};

__global__ void __launch_bounds__(kMostLanes* kFinishChannels)
    add_parts(const __grid_constant__ NormPlan plan, const __grid_constant__ FinishArguments a) {
  const int thread = static_cast<int>(threadIdx.x), lanes = static_cast<int>(blockDim.x) / kFinishChannels;
  const int channel = static_cast<int>(blockIdx.x) * kFinishChannels + thread % kFinishChannels;
  double sums[2] = {};
  if (channel < plan.channels) {
    // A slice has a part of the channel for each of the rows that are one wide row.
    const int parts = plan.slices * plan.fold;
#pragma unroll 4
    for (int part = thread / kFinishChannels; part < parts; part += lanes) {
      const int64_t slice = part / plan.fold;
      const double* const from =
          a.parts + slice * 2 * plan.width + part % plan.fold * plan.channels + channel;
      sums[0] += from[0];
      sums[1] += from[plan.width];
    }
  }
  add_groups(sums, reinterpret_cast<double*>(shared_memory()), kFinishChannels, lanes);
  if (thread >= kFinishChannels || channel >= plan.channels) return;
  if (a.x == nullptr) {
    a.out[channel] = sums[0];
    a.out[plan.channels + channel] = sums[1];
    return;
  }
  const double rows = static_cast<double>(a.rows);
  const double mean = sums[0] / rows;
  a.out[channel] = mean + value_at(a.x, channel, a.type);
  a.out[plan.channels + channel] = sums[1] - rows * mean * mean;
}

using SumKernel = void (*)(NormPlan, SumArguments);

template <Element kType>
SumKernel sum_kernel(Sums sums, bool aligned) {
  if (sums == Sums::kMoments)
    return aligned ? sum_channels<Sums::kMoments, kType, true> : sum_channels<Sums::kMoments, kType, false>;
  if (sums == Sums::kGradient) {
    return aligned ? sum_channels<Sums::kGradient, kType, true> : sum_channels<Sums::kGradient, kType, false>;
  }
  return aligned ? sum_channels<Sums::kMaskedGradient, kType, true>
                 : sum_channels<Sums::kMaskedGradient, kType, false>;
}

NormPlan sums_plan(const NormShape& shape) { return norm_plan(shape, kNormSumBlocks, kLeastRows); }

void run_sums(const char* name, double* out, Sums sums, SumArguments arguments, const NormShape& shape,
              void* workspace, std::size_t workspace_bytes, cudaStream_t stream) {
  require_workspace(workspace, workspace_bytes, norm_workspace(shape));
  const NormPlan plan = sums_plan(shape);
  Carver(workspace).take(arguments.parts, int64_t{2} * plan.slices * plan.width);
  const bool aligned = aligned_to_pieces({arguments.x, arguments.grad_y, arguments.y});
  for_type(shape.type, [&](auto type) {
    const std::size_t values = std::size_t{2} * Format<decltype(type)::value>::kPiece * kNormThreads;
    launch(name, sum_kernel<decltype(type)::value>(sums, aligned), norm_launch(plan, values * sizeof(double)),
           stream, plan, arguments);
  });
  const void* const first_row = sums == Sums::kMoments ? arguments.x : nullptr;
  LaunchShape finish = {};
  finish.grid = dim3(static_cast<unsigned>(ceil_div(shape.channels, kFinishChannels)));
  int lanes = kWarp / kFinishChannels;
  while (lanes < kMostLanes && lanes < plan.slices * plan.fold) lanes *= 2;
  finish.threads = lanes * kFinishChannels;
  finish.shared_bytes = 2 * sizeof(double) * static_cast<std::size_t>(finish.threads);
  launch(name, add_parts, finish, stream, plan,
         FinishArguments{out, arguments.parts, first_row, shape.type, shape.rows});
}

}  // namespace

std::size_t norm_workspace(const NormShape& shape) {
  validate_norm(shape);
  const NormPlan plan = sums_plan(shape);
  Carver carver;
  double* parts = nullptr;
  carver.take(parts, int64_t{2} * plan.slices * plan.width);
  return carver.bytes();
}

void norm_moments(double* moments, const void* x, const NormShape& shape, void* workspace,
                  std::size_t workspace_bytes, cudaStream_t stream) {
  validate_norm(shape);
  require_pointers({moments, x});
  SumArguments arguments = {};
  arguments.x = x;
  run_sums("BatchNorm's moments", moments, Sums::kMoments, arguments, shape, workspace, workspace_bytes,
           stream);
}

void norm_backward_sums(double* sums, const void* grad_y, const void* y, const void* x, const float* mean,
                        const NormShape& shape, void* workspace, std::size_t workspace_bytes,
                        cudaStream_t stream) {
  validate_norm(shape);
  require_pointers({sums, grad_y, x, mean});
  SumArguments arguments = {};
  arguments.x = x;
  arguments.grad_y = grad_y;
  arguments.y = y;
  arguments.mean = mean;
  run_sums("BatchNorm's backward sums", sums, y == nullptr ? Sums::kGradient : Sums::kMaskedGradient,
           arguments, shape, workspace, workspace_bytes, stream);
}

}  // namespace vssl::cuda
