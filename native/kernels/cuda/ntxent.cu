// NT-Xent: arguments, memory and launches.
//
//   1 load    normalise rows into an operand
//   2 sums    each row's sum of exponentials, the positives, the loss
//   3 weigh   the weights again from the same products, and the gradient they give
//   4 finish  adds the shares up where 3 was split
#include <cmath>
#include <string>

#include "kernels_cuda.h"
#include "ntxent_hopper.h"
#include "ntxent_policies.cuh"
#include "path.h"
#include "products_mma.cuh"
#include "products_simt.cuh"

namespace vssl::cuda {
namespace {

constexpr int64_t kMostRows = int64_t{1} << 24;
constexpr int64_t kMostDims = 8192;
constexpr int64_t kUnsplitRows = 512;  // up to here launches count for more than blocks

void validate(int64_t rows, int64_t dim, const NtXentOptions& options) {
  if (rows < 2 || rows % 2 != 0 || rows > kMostRows) {
    throw Error(kInvalidArgument,
                "expected an even number from 2 to 2^24 for rows but received " + std::to_string(rows));
  }
  if (dim < 1 || dim > kMostDims)
    throw Error(kInvalidArgument, "expected 1 to 8192 for dim but received " + std::to_string(dim));
  if (!std::isfinite(options.temperature) || options.temperature <= 0) {
    throw Error(kInvalidArgument, "expected a finite number > 0 for temperature but received " +
                                      std::to_string(options.temperature));
  }
}

void size(NtXentPlan& plan, int64_t rows, int64_t dim, const NtXentOptions& options) {
  plan.rows = rows;
  plan.half = rows / 2;
  plan.padded_rows = ceil_div(rows, kPanelRows) * kPanelRows;
  plan.dim = static_cast<int>(dim);
  plan.pitch = static_cast<int>(ceil_div(dim, 4) * 4);
  plan.bf16 = options.precision == Precision::kBf16;
  plan.normalize = options.normalize;
  plan.panels = static_cast<int>(ceil_div(rows, plan.bf16 ? MmaProducts::kPanel : SimtProducts::kPanel));
  plan.chunks = static_cast<int>(ceil_div(dim, kChunkDims));
  plan.sum_splits = splits_for(plan.panels, 1, rows);
  plan.weigh_splits = rows <= kUnsplitRows ? 1 : splits_for(plan.panels, plan.chunks, rows);
  plan.tau = options.temperature;
  plan.scale = static_cast<float>(kLog2E / options.temperature);
  plan.shift = plan.scale;
  plan.running = !options.normalize || plan.scale > kLargestFixedScale;

  // Asked for always: it reports a wrong VSSL_CUDA_PATH for every size and precision.
  plan.hopper = selected_path() == Path::kHopper && plan.bf16 && !plan.running && dim <= kHopperMostDims &&
                (rows >= kHopperLeastRows || path_is_forced());
}

// Places in `memory` (null: none yet) for the sizes in the plan. Returns the bytes.
std::size_t lay_out(NtXentPlan& plan, HopperSums& sums, bool gradient, void* memory) {
  Carver carver(memory);
  unsigned char* z = nullptr;
  carver.take(z, plan.bf16 ? tiled_bytes(plan.rows, plan.dim) : plan.padded_rows * plan.pitch * 4);
  plan.z = z;
  carver.take(plan.norms, plan.padded_rows);
  carver.take(plan.positives, plan.padded_rows);
  carver.take(plan.panel_loss, plan.panels);
  carver.take(plan.along, ceil_div(plan.padded_rows, kRowsPerBlock));
  carver.take(plan.arrivals, plan.counters());
  if (plan.hopper) {
    carver.take(sums.of_rows, hopper_tiles(plan.panels) * kPanelRows);
    carver.take(sums.of_columns, (hopper_workers(plan.panels) + plan.panels) * int64_t{kPanelRows});
    carver.take(sums.inverse, plan.padded_rows);
    return carver.bytes();
  }
  carver.take(plan.partial_sums, plan.sum_splits * plan.padded_rows);
  carver.take(plan.factors, plan.padded_rows);
  if (gradient && (plan.chunks > 1 || plan.weigh_splits > 1))
    carver.take(plan.g, plan.weigh_splits * plan.padded_rows * plan.pitch);
  return carver.bytes();
}

void load(const NtXentPlan& plan, cudaStream_t stream) {
  LoadArguments a = {};
  a.x = plan.x;
  a.z = plan.z;
  a.norms = plan.norms;
  a.counters = plan.arrivals;
  a.counter_count = plan.counters();
  a.rows = plan.rows;
  a.padded_rows = plan.padded_rows;
  a.dim = plan.dim;
  a.normalize = plan.normalize;
  LaunchShape shape = {};
  shape.grid = dim3(static_cast<unsigned>(ceil_div(plan.padded_rows, kRowsPerBlock)));
  shape.threads = kRowThreads;
  launch("loading rows", plan.bf16 ? load_rows<Operand::kBf16> : load_rows<Operand::kFp32>, shape, stream, a);
}

template <class Products, class Policy>
void launch_stream(const char* name, const NtXentPlan& plan, int chunks, int splits, cudaStream_t stream) {
  StreamShape shape = {};
  shape.row_matrix = shape.column_matrix = plan.z;
  shape.columns = plan.rows;
  shape.dim = plan.dim;
  shape.panels = plan.panels;
  shape.chunks = plan.chunks;
  shape.splits = splits;
  LaunchShape blocks = {};
  blocks.grid =
      dim3(static_cast<unsigned>(plan.panels), static_cast<unsigned>(chunks), static_cast<unsigned>(splits));
  blocks.threads = Products::kThreads;
  blocks.shared_bytes = Products::shared_bytes(plan.chunks);
  launch(name, stream_kernel<Products, Policy>, blocks, stream, shape, plan);
}

// Adds up the blocks' shares of each row's g, in order; a warp a row.
__global__ void __launch_bounds__(kRowThreads) finish_gradient(const __grid_constant__ NtXentPlan plan) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int64_t row =
      static_cast<int64_t>(blockIdx.x) * kRowsPerBlock + static_cast<int>(threadIdx.x) / kWarp;
  const auto g = [&](int c) {
    const float* from = plan.g + row * plan.pitch + c * kWarp + lane;
    float sum = *from;
    for (int i = 1; i < plan.weigh_splits; ++i) sum += from[i * plan.padded_rows * plan.pitch];
    return sum;
  };
  const double along =
      store_row<kWarp>(store_arguments(plan), row, static_cast<int>(ceil_div(plan.dim, kWarp)), g,
                       [&](int c) { return c * kWarp + lane; });
  finish_temperature(plan, static_cast<int>(blockIdx.x), static_cast<int>(gridDim.x), lane == 0 ? along : 0);
}

template <class Products, bool kRunning>
void run(const NtXentPlan& plan, cudaStream_t stream) {
  launch_stream<Products, NtXentSums<Products, kRunning>>("summing rows", plan, 1, plan.sum_splits, stream);
  if (plan.gradient == nullptr) return;
  launch_stream<Products, NtXentWeights<Products, kRunning>>("weighing rows", plan, plan.chunks,
                                                             plan.weigh_splits, stream);
  if (plan.g == nullptr) return;
  LaunchShape shape = {};
  shape.grid = dim3(static_cast<unsigned>(ceil_div(plan.rows, kRowsPerBlock)));
  shape.threads = kRowThreads;
  shape.shared_bytes = kScratchBytes;
  launch("finishing the gradient", finish_gradient, shape, stream, plan);
}

// One positive and no negative: softmax over a single term.
__global__ void __launch_bounds__(kRowThreads) nt_xent_of_one_pair(const __grid_constant__ NtXentPlan plan) {
  bool finite = true;
  for (int k = static_cast<int>(threadIdx.x); k < 2 * plan.dim; k += kRowThreads)
    finite = finite && isfinite(plan.x[k]);
  const float value = __syncthreads_and(finite) ? 0.0f : quiet_nan();
  if (plan.gradient != nullptr) {
    for (int k = static_cast<int>(threadIdx.x); k < 2 * plan.dim; k += kRowThreads) plan.gradient[k] = value;
  }
  if (threadIdx.x == 0) *plan.result = {value, plan.gradient != nullptr ? value : 0.0};
}

}  // namespace

std::size_t nt_xent_workspace(int64_t rows, int64_t dim, const NtXentOptions& options, bool gradient) {
  validate(rows, dim, options);
  NtXentPlan plan = {};
  HopperSums sums = {};
  size(plan, rows, dim, options);
  return lay_out(plan, sums, gradient, nullptr);
}

void nt_xent(NtXentResult* result, float* gradient, const float* embeddings, int64_t rows, int64_t dim,
             const NtXentOptions& options, void* workspace, std::size_t workspace_bytes,
             cudaStream_t stream) {
  validate(rows, dim, options);
  require_pointers({result, embeddings});
  NtXentPlan plan = {};
  HopperSums sums = {};
  size(plan, rows, dim, options);
  require_workspace(workspace, workspace_bytes, lay_out(plan, sums, gradient != nullptr, workspace));
  plan.x = embeddings;
  plan.gradient = gradient;
  plan.result = result;
  if (rows == 2) {
    LaunchShape shape = {};
    shape.grid = dim3(1);
    shape.threads = kRowThreads;
    launch("one pair", nt_xent_of_one_pair, shape, stream, plan);
    return;
  }
  load(plan, stream);
  if (plan.hopper) {
    hopper_sum_rows(plan, sums, stream);
    if (gradient != nullptr) hopper_weigh_rows(plan, sums, stream);
  } else if (plan.bf16) {
    plan.running ? run<MmaProducts, true>(plan, stream) : run<MmaProducts, false>(plan, stream);
  } else {
    plan.running ? run<SimtProducts, true>(plan, stream) : run<SimtProducts, false>(plan, stream);
  }
}

}  // namespace vssl::cuda
