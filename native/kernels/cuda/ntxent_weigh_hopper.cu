// NT-Xent's gradient on Hopper: H_ij = e_ij (r_i + r_j) - 2 [j = pos(i)] and H Z, on hopper_stream.cuh. The
// blocks that share a panel of rows are a cluster; each reads the others' parts of the gradient from their
// shared memory and finishes its share of the rows.
#include "hopper_stream.cuh"
#include "launch.h"
#include "ntxent_hopper.h"
#include "ntxent_policies.cuh"
#include "path.h"

namespace vssl::cuda {
namespace {

constexpr int kRowLanes = 8;  // lanes that finish a row together
constexpr int kRowsAtOnce = kConsumerWarps * kWarp / kRowLanes;

struct WeighArguments {
  NtXentPlan plan;
  const float* inverse;  // 1 / sum of each row
  int cluster;
};

template <int kBlocks>
struct NtXentHopperWeights {
  using Arguments = WeighArguments;
  static constexpr int kTerms = 1;               // 1 / sum of the column's row
  static constexpr int kProducerRegisters = 40;  // for finish_temperature()
  static constexpr int kDims = kBlocks * kBlockDims;
  static constexpr int kPitch = kDims + 8;  // floats a row of O in shared memory; +8: other banks

  __device__ NtXentHopperWeights(const WeighArguments& arguments, const HopperPlace& place, int panel)
      : arguments_(arguments), place_(place), row0_(static_cast<int64_t>(panel) * kPanelRows) {
#pragma unroll
    for (int half = 0; half < 2; ++half) inverse_[half] = __ldg(arguments.inverse + row0_ + place.row(half));
  }

  __device__ void tile(float (&s)[kTileFloats], const float* terms, int64_t column0) {
    const NtXentPlan& plan = arguments_.plan;
#pragma unroll
    for (int n = 0; n < kTileFloats / 4; ++n) {
      const float2 of = *reinterpret_cast<const float2*>(terms + place_.column(4 * n));
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float* const x = s + 4 * n + 2 * half;
        x[0] = exp2_fast(fmaf(x[0], plan.scale, -plan.shift)) * (inverse_[half] + of.x);
        x[1] = exp2_fast(fmaf(x[1], plan.scale, -plan.shift)) * (inverse_[half] + of.y);
      }
    }
    const auto touches = [&](int64_t begin) {
      return begin < column0 + kHopperTile && column0 < begin + kPanelRows;
    };
    if (!touches(row0_) && !touches(row0_ + plan.half) && !touches(row0_ - plan.half)) return;
#pragma unroll
    for (int i = 0; i < kTileFloats; ++i) {
      const int64_t row = row0_ + place_.row(i % 4 / 2), column = column0 + place_.column(i);
      if (column == row) s[i] = 0;
      if (column == plan.positive_of(row)) s[i] -= 2;
    }
  }

  // O goes to shared memory, over tiles that nobody needs any more.
  template <int kCount>
  __device__ void finish(const float (&o)[kCount], int panel, int split) {
    named_barrier(1, kConsumerWarps * kWarp);  // the other warpgroup's products have read their last tile
    float* const to = parts();
#pragma unroll
    for (int i = 0; i < kCount; i += 2) {
      *reinterpret_cast<float2*>(to + place_.row(i % 4 / 2) * kPitch + place_.column(i)) =
          make_float2(o[i], o[i + 1]);
    }
    cluster_barrier();
    const double along = finish_rows(panel, split);
    cluster_barrier();  // nobody reads this block's shared memory any more
    finish_temperature(arguments_.plan, static_cast<int>(blockIdx.x), static_cast<int>(gridDim.x), along);
  }

  // The producer's warpgroup has few registers left: it only keeps the barriers company.
  static __device__ void finish_producer(const WeighArguments& arguments) {
    __syncwarp();
    cluster_barrier();
    cluster_barrier();
    finish_temperature(arguments.plan, static_cast<int>(blockIdx.x), static_cast<int>(gridDim.x), 0);
  }

 private:
  static __device__ uint32_t parts_address() { return tiles_address(); }
  static __device__ float* parts() {
    return reinterpret_cast<float*>(shared_memory() + (parts_address() - shared_address(shared_memory())));
  }

  // The consumers of block `rank` finish its share of the panel's rows. Returns their z . g.
  __device__ double finish_rows(int panel, int rank) const {
    const StoreArguments a = store_arguments(arguments_.plan);
    const int lane = place_.lane % kRowLanes;
    const int rows = kPanelRows / arguments_.cluster;
    double along = 0;
    // Whole warps come and go: the lanes of a row add up together.
    for (int r = (place_.warp * kWarp + place_.lane) / kRowLanes; r < rows; r += kRowsAtOnce) {
      const int in_panel = rank * rows + r;
      float g[kDims / kRowLanes];
#pragma unroll
      for (int c = 0; c < kDims / kRowLanes; ++c) {
        const uint32_t at =
            parts_address() + static_cast<uint32_t>((in_panel * kPitch + c * kRowLanes + lane) * 4);
        g[c] = load_remote(at, 0);
        for (int other = 1; other < arguments_.cluster; ++other)
          g[c] += load_remote(at, static_cast<uint32_t>(other));
      }
      const double of_row = store_row<kRowLanes>(
          a, static_cast<int64_t>(panel) * kPanelRows + in_panel, kDims / kRowLanes,
          [&](int c) { return g[c]; }, [&](int c) { return c * kRowLanes + lane; });
      if (lane == 0) along += of_row;
    }
    return along;
  }

  const WeighArguments& arguments_;
  const HopperPlace place_;
  const int64_t row0_;
  float inverse_[2];
};

template <int kBlocks>
__global__ void __launch_bounds__(kHopperThreads, 1)
    weigh_tiles(const __grid_constant__ HopperShape shape, const __grid_constant__ WeighArguments arguments) {
#if defined(VSSL_CUDA_EMULATED) || defined(__CUDA_ARCH_FEAT_SM90_ALL)
  HopperStream<kBlocks, NtXentHopperWeights<kBlocks>>::run(shape, arguments);
#endif
}

template <int kBlocks>
void launch_weigh(const HopperShape& shape, const WeighArguments& arguments, cudaStream_t stream) {
  using Weights = NtXentHopperWeights<kBlocks>;
  using Stream = HopperStream<kBlocks, Weights>;
  static_assert(kPanelRows * Weights::kPitch * sizeof(float) <=
                    Stream::kPanelBytes + kHopperStages * Stream::kStageBytes,
                "O fits where the tiles were");
  LaunchShape blocks = {};
  blocks.grid = dim3(static_cast<unsigned>(arguments.plan.panels * arguments.cluster));
  blocks.threads = kHopperThreads;
  blocks.shared_bytes = Stream::kSharedBytes;
  blocks.cluster = arguments.cluster;
  blocks.overlaps = launches_overlap();
  launch("weighing tiles", weigh_tiles<kBlocks>, blocks, stream, shape, arguments);
}

}  // namespace

int hopper_cluster(int64_t panels) {
  int blocks = 1;
  while (blocks < 8 && 2 * blocks * panels <= kHopperWorkers) blocks *= 2;
  return blocks;
}

void hopper_weigh_rows(const NtXentPlan& plan, const HopperSums& sums, cudaStream_t stream) {
  WeighArguments arguments = {};
  arguments.plan = plan;
  arguments.inverse = sums.inverse;
  arguments.cluster = hopper_cluster(plan.panels);
  HopperShape shape = {};
  shape.row_matrix = shape.column_matrix = plan.z;
  shape.terms = sums.inverse;
  shape.column_tiles = plan.panels;
  shape.splits = arguments.cluster;
  blocks_of(plan.dim) == 1 ? launch_weigh<1>(shape, arguments, stream)
                           : launch_weigh<2>(shape, arguments, stream);
}

}  // namespace vssl::cuda
