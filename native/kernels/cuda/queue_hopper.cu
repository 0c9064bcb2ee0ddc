// InfoNCE's pass over the ring on Hopper: queue_policy.cuh with a fixed shift, on hopper_stream.cuh.
#include "hopper_stream.cuh"
#include "launch.h"
#include "path.h"
#include "queue_hopper.h"

namespace vssl::cuda {
namespace {

struct QueueHopperWeights {
  using Arguments = InfoNcePlan;
  static constexpr int kTerms = 2;  // slope, offset
  static constexpr int kProducerRegisters = 24;

  __device__ QueueHopperWeights(const InfoNcePlan& plan, const HopperPlace& place, int panel)
      : plan_(plan), place_(place), row0_(static_cast<int64_t>(panel) * kPanelRows), sum_{0, 0} {}

  __device__ void tile(float (&s)[kTileFloats], const float* terms, int64_t /*column0*/) {
    float sum[2] = {0, 0};
#pragma unroll
    for (int n = 0; n < kTileFloats / 4; ++n) {
      // Slope and offset of two neighbouring columns.
      const float4 of = *reinterpret_cast<const float4*>(terms + 2 * place_.column(4 * n));
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float* const x = s + 4 * n + 2 * half;
        const float e0 = exp2_fast(fmaf(x[0], of.x, of.y));
        const float e1 = exp2_fast(fmaf(x[1], of.z, of.w));
        sum[half] += e0;
        sum[half] += e1;
        x[0] = of.x * e0;
        x[1] = of.z * e1;
      }
    }
    sum_[0] += sum[0];
    sum_[1] += sum[1];
  }

  template <int kCount>
  __device__ void finish(const float (&o)[kCount], int panel, int split) {
    if (split == 0) {
      const int r = place_.warp * kWarp + place_.lane;
      const int64_t row = static_cast<int64_t>(panel) * kPanelRows + r;
      // All who write write the same.
      if (r < kPanelRows && row < plan_.rows && isnan(plan_.norms[row])) *plan_.unusable() = 1;
    }
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int64_t row = split * plan_.padded_rows + row0_ + place_.row(half);
      const float sum = lane_sum<4>(sum_[half]);
      if (place_.lane % 4 == 0) plan_.sums[row] = make_float2(0, sum);
      if (plan_.gradient == nullptr) continue;
#pragma unroll
      for (int i = 0; i < kCount; ++i) {
        if (i % 4 / 2 == half && place_.column(i) < plan_.dim)
          plan_.g[row * plan_.pitch + place_.column(i)] = o[i];
      }
    }
  }

  static __device__ void finish_producer(const InfoNcePlan&) {}

 private:
  const InfoNcePlan& plan_;
  const HopperPlace place_;
  const int64_t row0_;
  float sum_[2];
};

template <int kBlocks>
__global__ void __launch_bounds__(kHopperThreads, 1)
    weigh_keys(const __grid_constant__ HopperShape shape, const __grid_constant__ InfoNcePlan plan) {
#if defined(VSSL_CUDA_EMULATED) || defined(__CUDA_ARCH_FEAT_SM90_ALL)
  HopperStream<kBlocks, QueueHopperWeights>::run(shape, plan);
#endif
}

}  // namespace

void hopper_weigh_keys(const InfoNcePlan& plan, cudaStream_t stream) {
  HopperShape shape = {};
  shape.row_matrix = plan.z;
  shape.column_matrix = plan.queue.tiles;
  shape.terms = reinterpret_cast<const float*>(plan.terms);
  shape.column_tiles = plan.queue.padded_slots / kHopperTile;
  shape.splits = plan.splits;
  LaunchShape blocks = {};
  blocks.grid = dim3(static_cast<unsigned>(plan.panels) * static_cast<unsigned>(plan.splits));
  blocks.threads = kHopperThreads;
  blocks.overlaps = launches_overlap();
  if (blocks_of(plan.dim) == 1) {
    blocks.shared_bytes = HopperStream<1, QueueHopperWeights>::kSharedBytes;
    launch("weighing keys", weigh_keys<1>, blocks, stream, shape, plan);
  } else {
    blocks.shared_bytes = HopperStream<2, QueueHopperWeights>::kSharedBytes;
    launch("weighing keys", weigh_keys<2>, blocks, stream, shape, plan);
  }
}

int hopper_key_splits(int panels, int64_t slots) {
  const int64_t tiles = ceil_div(slots, kHopperTile);
  const int64_t wanted = kHopperWorkers / panels;
  return static_cast<int>(wanted < 1 ? 1 : wanted < tiles ? wanted : tiles);
}

}  // namespace vssl::cuda
