// NT-Xent's row sums on Hopper: tiles of the upper triangle of S alone, each exponential once for its row and
// once for its column.
//
//   producer   one thread: panels of columns (two buffers) and of rows (a ring), in the order of triangle.h
//   consumers  two warpgroups of 64 rows: S of the next tile by wgmma, while this one's exponentials are
//   added
//              to the column's sums, kept in registers as long as the column lasts, and to the rows', which
//              leave with each tile
//   finish     a kernel of its own adds the partial sums of each row up, in order
#include "hopper_stream.cuh"
#include "launch.h"
#include "ntxent_hopper.h"
#include "ntxent_policies.cuh"
#include "path.h"
#include "triangle.h"

namespace vssl::cuda {
namespace {

constexpr int kColumnBuffers = 2;
constexpr int kColumnsOfThread = kTileFloats / 2;
constexpr int kFinishParts = 4;  // threads that share a row in finish_sums
constexpr int kFinishThreads = kFinishParts * kPanelRows;

struct SumArguments {
  HopperSums sums;
  int64_t tiles;
  int workers;
};

template <int kBlocks>
struct SumKernel {
  static constexpr uint32_t kPanelBytes = kBlocks * kBlockBytes;
  static constexpr int kScratchFloats = 2 * kConsumerWarps * kHopperTile;  // two turns of column sums
  static constexpr std::size_t kSharedBytes =
      kTilesOffset + 1024 + (kColumnBuffers + kHopperStages) * kPanelBytes + kScratchFloats * sizeof(float);

  __device__ SumKernel(const NtXentPlan& plan, const SumArguments& arguments)
      : plan_(plan),
        arguments_(arguments),
        worker_(static_cast<int>(blockIdx.x)),
        begin_(share_begin(arguments.tiles, worker_, arguments.workers)),
        end_(share_begin(arguments.tiles, worker_ + 1, arguments.workers)),
        columns_ring_{shared_address(shared_memory()) + kBarriersOffset, kColumnBuffers},
        rows_ring_{columns_ring_.barriers + 8 * 2 * kColumnBuffers, kHopperStages},
        columns_(tiles_address()),
        rows_(columns_ + kColumnBuffers * kPanelBytes),
        scratch_(reinterpret_cast<float*>(
            shared_memory() + (rows_ + kHopperStages * kPanelBytes - shared_address(shared_memory())))) {}

  __device__ void run() {
    if (threadIdx.x == 0) {
      columns_ring_.init();
      rows_ring_.init();
      barriers_ready();
    }
    take_over();
    __syncthreads();
    if (threadIdx.x < 128) {
      give_registers<24>();
      if (threadIdx.x == 0) produce();
    } else {
      take_registers<consumer_registers(24)>();
      consume();
    }
  }

 private:
  __device__ const char* panel(int index) const {
    return static_cast<const char*>(plan_.z) + static_cast<int64_t>(index) * kPanelBytes;
  }

  __device__ void produce() const {
    Turn column_turn, row_turn;
    Tile tile = tile_at(begin_);
    for (int64_t number = begin_; number < end_; ++number, tile.next()) {
      if (number == begin_ || tile.row == 0) {
        open_buffer(columns_ring_, column_turn, kPanelBytes);
        bulk_copy(columns_ + static_cast<uint32_t>(column_turn.buffer) * kPanelBytes, panel(tile.column),
                  kPanelBytes, columns_ring_.full(column_turn.buffer));
        column_turn.next(kColumnBuffers);
      }
      open_buffer(rows_ring_, row_turn, kPanelBytes);
      bulk_copy(rows_ + static_cast<uint32_t>(row_turn.buffer) * kPanelBytes, panel(tile.row), kPanelBytes,
                rows_ring_.full(row_turn.buffer));
      row_turn.next(kHopperStages);
    }
  }

  __device__ void consume() {
    const int thread = static_cast<int>(threadIdx.x) - 128;
    place_ = {thread / kWarp, thread % kWarp};
    const uint32_t own_rows = rows_ + static_cast<uint32_t>(thread / 128) * (64 * kRowBytes);
#pragma unroll
    for (int i = 0; i < kColumnsOfThread; ++i) column_sums_[i] = 0;
    float s[kTileFloats];
#pragma unroll
    for (int i = 0; i < kTileFloats; ++i) s[i] = 0;
    Turn row_turn, column_turn;
    Tile tile = tile_at(begin_);
    for (int64_t number = begin_; number < end_; ++number, tile.next()) {
      barrier_wait(columns_ring_.full(column_turn.buffer), column_turn.parity);
      barrier_wait(rows_ring_.full(row_turn.buffer), row_turn.parity);
      keep_in_place(s);
      issue_similarity<kBlocks>(s, own_rows + static_cast<uint32_t>(row_turn.buffer) * kPanelBytes,
                                columns_ + static_cast<uint32_t>(column_turn.buffer) * kPanelBytes);
      products_wait<0>();
      keep_in_place(s);
      leave_buffer(rows_ring_, row_turn.buffer);
      row_turn.next(kHopperStages);
      const bool ends_column = tile.row == tile.column || number + 1 == end_;
      if (ends_column) {
        leave_buffer(columns_ring_, column_turn.buffer);
        column_turn.next(kColumnBuffers);
      }
      add(s, tile);
      if (ends_column) flush_columns(tile.column);
    }
  }

  __device__ void add(float (&s)[kTileFloats], Tile tile) {
    const int64_t row0 = static_cast<int64_t>(tile.row) * kPanelRows;
    const int64_t column0 = static_cast<int64_t>(tile.column) * kPanelRows;
    const bool holds_positives =
        row0 + plan_.half < column0 + kPanelRows && column0 < row0 + plan_.half + kPanelRows;
    const bool diagonal = tile.row == tile.column;
    if (holds_positives || diagonal || column0 + kPanelRows > plan_.rows) mask(s, row0, column0);
    float row_sums[2] = {0, 0};
#pragma unroll
    for (int i = 0; i < kTileFloats; ++i) {
      const float e = exp2_fast(fmaf(s[i], plan_.scale, -plan_.shift));
      row_sums[i % 4 / 2] += e;
      column_sums_[i / 4 * 2 + i % 2] += e;
    }
    if (diagonal) return;  // the whole square was there: its columns have said all
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float sum = lane_sum<4>(row_sums[half]);
      if (place_.lane % 4 == 0)
        arguments_.sums.of_rows[tile_number(tile.row, tile.column) * kPanelRows + place_.row(half)] = sum;
    }
  }

  // Keeps the positives; puts what must not count far below everything.
  __device__ void mask(float (&s)[kTileFloats], int64_t row0, int64_t column0) {
#pragma unroll
    for (int i = 0; i < kTileFloats; ++i) {
      const int64_t row = row0 + place_.row(i % 4 / 2), column = column0 + place_.column(i);
      if (column == row + plan_.half && column < plan_.rows)
        plan_.positives[row] = plan_.positives[column] = s[i];
      if (row == column || row >= plan_.rows || column >= plan_.rows) s[i] = -kFltMax;
    }
  }

  // Adds the column sums of the lanes that share columns, then of the warps, and leaves them for the finish.
  __device__ void flush_columns(int column) {
    float* const scratch = scratch_ + flushes_ % 2 * (kConsumerWarps * kHopperTile);
    ++flushes_;
#pragma unroll
    for (int i = 0; i < kColumnsOfThread; ++i) {
      float sum = column_sums_[i];
      column_sums_[i] = 0;
#pragma unroll
      for (int lane = 16; lane >= 4; lane /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, lane);
      if (place_.lane < 4) scratch[place_.warp * kHopperTile + place_.column(i / 2 * 4 + i % 2)] = sum;
    }
    named_barrier(1, kConsumerWarps * kWarp);
    const int c = place_.warp * kWarp + place_.lane;
    if (c >= kHopperTile) return;
    float sum = 0;
#pragma unroll
    for (int warp = 0; warp < kConsumerWarps; ++warp) sum += scratch[warp * kHopperTile + c];
    arguments_.sums.of_columns[segment_slot(worker_, column) * kPanelRows + c] = sum;
  }

  const NtXentPlan& plan_;
  const SumArguments& arguments_;
  const int worker_;
  const int64_t begin_, end_;
  const Ring columns_ring_, rows_ring_;
  const uint32_t columns_, rows_;
  float* const scratch_;

  // Of a consumer.
  HopperPlace place_ = {0, 0};
  int flushes_ = 0;
  float column_sums_[kColumnsOfThread];
};

template <int kBlocks>
__global__ void __launch_bounds__(kHopperThreads, 1)
    sum_tiles(const __grid_constant__ NtXentPlan plan, const __grid_constant__ SumArguments arguments) {
#if defined(VSSL_CUDA_EMULATED) || defined(__CUDA_ARCH_FEAT_SM90_ALL)
  SumKernel<kBlocks>(plan, arguments).run();
#endif
}

// A block a panel: four threads a row take quarters of its partial sums.
__global__ void __launch_bounds__(kFinishThreads)
    finish_sums(const __grid_constant__ NtXentPlan plan, const __grid_constant__ SumArguments arguments) {
  take_over();
  double* const scratch = reinterpret_cast<double*>(shared_memory());
  double* const parts = scratch + kWarp + 1;
  const int panel = static_cast<int>(blockIdx.x);
  const int r = static_cast<int>(threadIdx.x) % kPanelRows, part = static_cast<int>(threadIdx.x) / kPanelRows;
  double sum = 0;
  const int64_t later = plan.panels - 1 - panel;
  const int64_t end = panel + 1 + share_begin(later, part + 1, kFinishParts);
  for (int64_t column = panel + 1 + share_begin(later, part, kFinishParts); column < end; ++column)
    sum += arguments.sums.of_rows[tile_number(panel, column) * kPanelRows + r];
  parts[threadIdx.x] = sum;
  __syncthreads();
  double loss = 0;
  if (part == 0) {
    sum = 0;
    const int64_t last = worker_of(tile_number(panel, panel), arguments.tiles, arguments.workers);
    for (int64_t worker = worker_of(tile_number(0, panel), arguments.tiles, arguments.workers);
         worker <= last; ++worker)
      sum += arguments.sums.of_columns[segment_slot(worker, panel) * kPanelRows + r];
    for (int i = 0; i < kFinishParts; ++i) sum += parts[i * kPanelRows + r];
    const int64_t row = static_cast<int64_t>(panel) * kPanelRows + r;
    const bool exists = row < plan.rows;
    arguments.sums.inverse[row] = exists ? static_cast<float>(1 / sum) : 0.0f;
    if (exists)
      loss = log(sum) +
             kLn2 * (static_cast<double>(plan.shift) - plan.scale * static_cast<double>(plan.positives[row]));
  }
  finish_loss(plan, panel, loss);
}

}  // namespace

int hopper_workers(int64_t panels) {
  const int64_t tiles = triangle(panels);
  return static_cast<int>(tiles < kHopperWorkers ? tiles : kHopperWorkers);
}

void hopper_sum_rows(const NtXentPlan& plan, const HopperSums& sums, cudaStream_t stream) {
  SumArguments arguments = {};
  arguments.sums = sums;
  arguments.tiles = triangle(plan.panels);
  arguments.workers = hopper_workers(plan.panels);
  LaunchShape shape = {};
  shape.grid = dim3(static_cast<unsigned>(arguments.workers));
  shape.threads = kHopperThreads;
  shape.overlaps = launches_overlap();
  if (blocks_of(plan.dim) == 1) {
    shape.shared_bytes = SumKernel<1>::kSharedBytes;
    launch("summing tiles", sum_tiles<1>, shape, stream, plan, arguments);
  } else {
    shape.shared_bytes = SumKernel<2>::kSharedBytes;
    launch("summing tiles", sum_tiles<2>, shape, stream, plan, arguments);
  }
  shape.grid = dim3(static_cast<unsigned>(plan.panels));
  shape.threads = kFinishThreads;
  shape.shared_bytes = kScratchBytes + 8 + kFinishThreads * sizeof(double);
  launch("finishing sums", finish_sums, shape, stream, plan, arguments);
}

}  // namespace vssl::cuda
