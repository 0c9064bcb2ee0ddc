// The ring of keys on the device: filling it, and InfoNCE against it. Arguments, memory and launches.
//
//   1 load    queries as an operand, similarities of the positives; slope and offset of each slot
//   2 weigh   one pass over the ring, in shares of slots
//   3 finish  the shares of each query merged, loss, gradient
#include <cmath>
#include <string>

#include "kernels_cuda.h"
#include "path.h"
#include "products_mma.cuh"
#include "products_simt.cuh"
#include "queue_hopper.h"
#include "queue_infonce.cuh"
#include "queue_policy.cuh"

namespace vssl::cuda {
namespace {

constexpr int64_t kMostQueries = int64_t{1} << 24;
constexpr int64_t kMostDims = 8192;

void validate_queue(const MomentumQueueOptions& options) {
  if (options.capacity < 1 || options.capacity > kMostQueueKeys) {
    throw Error(kInvalidArgument,
                "expected 1 to 2^24 for capacity but received " + std::to_string(options.capacity));
  }
  if (options.dim < 1 || options.dim > kMostDims)
    throw Error(kInvalidArgument, "expected 1 to 8192 for dim but received " + std::to_string(options.dim));
  if (!(options.decay > 0 && options.decay <= 1)) {
    throw Error(kInvalidArgument,
                "expected more than 0 and at most 1 for decay but received " + std::to_string(options.decay));
  }
}

QueueMemory open(const MomentumQueueOptions& options, void* memory) {
  validate_queue(options);
  QueueMemory queue = {};
  if (memory == nullptr || reinterpret_cast<std::uintptr_t>(memory) % 256 != 0)
    throw Error(kInvalidArgument, "expected a queue's memory on a 256-byte boundary");
  lay_out(queue, options, memory);
  return queue;
}

void require_ids(const QueueMemory& queue, const int64_t* ids) {
  if ((queue.ids != nullptr) == (ids != nullptr)) return;
  throw Error(kInvalidArgument, queue.ids != nullptr
                                    ? "expected ids, one a key, of a queue whose keys have numbers"
                                    : "expected no ids of a queue whose keys have no numbers");
}

void validate_rows(int64_t rows) {
  if (rows < 1 || rows > kMostQueries)
    throw Error(kInvalidArgument, "expected 1 to 2^24 for rows but received " + std::to_string(rows));
}

LaunchShape row_blocks(int64_t rows) {
  LaunchShape shape = {};
  shape.grid = dim3(static_cast<unsigned>(ceil_div(rows, kRowsPerBlock)));
  shape.threads = kRowThreads;
  shape.shared_bytes = kScratchBytes;
  return shape;
}

// Both copies of one key; called by a whole warp.
__device__ void write_key(const QueueMemory& queue, int64_t slot, const float* key, double factor) {
  write_row<Operand::kFp32>(queue.keys, slot, key, queue.dim, factor);
  write_row<Operand::kBf16>(queue.tiles, slot, key, queue.dim, factor);
}

// Of more rows than slots the last ones stay: rows before `skipped` are not here any more.
__global__ void __launch_bounds__(kRowThreads)
    enqueue_keys(const __grid_constant__ QueueMemory queue, const float* keys, const int64_t* ids,
                 int64_t rows, int64_t skipped, bool by_key) {
  const QueueState before = *queue.state;
  const int64_t row =
      skipped + static_cast<int64_t>(blockIdx.x) * kRowsPerBlock + static_cast<int>(threadIdx.x) / kWarp;
  if (row < rows) {
    const float* const x = keys + row * queue.dim;
    double norm = 0;
    const double factor = row_factor(&norm, squared_norm(x, queue.dim), true);
    const int64_t slot = (before.next + row) % queue.capacity;
    write_key(queue, slot, x, factor);
    if (threadIdx.x % kWarp == 0) {
      queue.born[slot] = before.clock + (by_key ? static_cast<uint32_t>(row) : 0u);
      if (queue.ids != nullptr) queue.ids[slot] = ids[row] < 0 ? -1 : ids[row];
    }
  }
  int* const flag = reinterpret_cast<int*>(shared_memory());
  if (!arrives_last(&queue.state->arrivals, static_cast<int>(gridDim.x), flag) || threadIdx.x != 0) return;
  const int64_t length = before.length + rows;
  queue.state->next = (before.next + rows) % queue.capacity;
  queue.state->length = length < queue.capacity ? length : queue.capacity;
  queue.state->clock = before.clock + (by_key ? static_cast<uint32_t>(rows) : 1u);
  queue.state->arrivals = 0;
}

__global__ void __launch_bounds__(kRowThreads)
    restore_keys(const __grid_constant__ QueueMemory queue, const float* keys, const float* ages,
                 const int64_t* ids, int64_t length, int64_t next) {
  const int64_t slot =
      static_cast<int64_t>(blockIdx.x) * kRowsPerBlock + static_cast<int>(threadIdx.x) / kWarp;
  if (slot < queue.padded_slots) {
    write_key(queue, slot, slot < length ? keys + slot * queue.dim : nullptr, 1);
    if (threadIdx.x % kWarp == 0) {
      queue.born[slot] = slot < length ? 0u - static_cast<uint32_t>(ages[slot]) : 0u;
      if (queue.ids != nullptr) queue.ids[slot] = slot < length && ids[slot] >= 0 ? ids[slot] : -1;
    }
  }
  if (blockIdx.x == 0 && threadIdx.x == 0) *queue.state = {next, length, 0u, 0};
}

__global__ void __launch_bounds__(kRowThreads)
    read_keys(const __grid_constant__ QueueMemory queue, float* keys, float* ages, int64_t* ids,
              int64_t* length) {
  const int64_t slot =
      static_cast<int64_t>(blockIdx.x) * kRowsPerBlock + static_cast<int>(threadIdx.x) / kWarp;
  if (blockIdx.x == 0 && threadIdx.x == 0) *length = queue.state->length;
  if (slot >= queue.state->length) return;
  for (int k = static_cast<int>(threadIdx.x) % kWarp; k < queue.dim; k += kWarp)
    keys[slot * queue.dim + k] = queue.keys[slot * queue.pitch + k];
  if (threadIdx.x % kWarp != 0) return;
  ages[slot] = static_cast<float>(queue.state->clock - queue.born[slot]);
  if (queue.ids != nullptr) ids[slot] = queue.ids[slot];
}

// Sizes, then places in `memory` (null: none yet). Returns the bytes.
std::size_t lay_out(InfoNcePlan& plan, const MomentumQueueOptions& queue, int64_t rows,
                    const InfoNceOptions& options, bool gradient, void* memory) {
  plan.rows = rows;
  plan.padded_rows = ceil_div(rows, kPanelRows) * kPanelRows;
  plan.dim = plan.queue.dim;
  plan.pitch = plan.queue.pitch;
  plan.bf16 = options.precision == Precision::kBf16;
  plan.normalize = options.normalize;
  plan.panels = static_cast<int>(ceil_div(rows, plan.bf16 ? MmaProducts::kPanel : SimtProducts::kPanel));
  plan.chunks = static_cast<int>(ceil_div(plan.dim, kChunkDims));
  plan.decays_logit = queue.decay != 1 && queue.decay_on == DecayOn::kLogit;
  plan.decays_weight = queue.decay != 1 && queue.decay_on == DecayOn::kWeight;
  plan.log2_decay = std::log2(queue.decay);
  plan.tau = options.temperature;
  plan.scale = static_cast<float>(kLog2E / options.temperature);
  // How old keys are only the device knows: weights may have decayed to anything.
  plan.running = !options.normalize || plan.decays_weight || plan.scale > kLargestFixedScale;
  plan.shift = plan.running ? 0 : plan.scale;
  // Asked for always: it reports a wrong VSSL_CUDA_PATH for every size and precision.
  // Its pass knows nothing of numbers: with them the older one is taken.
  plan.hopper = selected_path() == Path::kHopper && plan.bf16 && !plan.running &&
                plan.dim <= kHopperMostDims && options.ids == nullptr;
  plan.splits = plan.hopper ? hopper_key_splits(plan.panels, plan.queue.capacity)
                            : splits_for(plan.panels, gradient ? plan.chunks : 1, plan.queue.capacity);

  Carver carver(memory);
  unsigned char* z = nullptr;
  carver.take(z, plan.bf16 ? tiled_bytes(rows, plan.dim) : plan.padded_rows * plan.pitch * 4);
  plan.z = z;
  carver.take(plan.norms, rows);
  carver.take(plan.positive_norms, rows);
  carver.take(plan.positives, rows);
  carver.take(plan.terms, plan.queue.padded_slots);
  carver.take(plan.sums, plan.splits * plan.padded_rows);
  plan.g = nullptr;
  if (gradient) carver.take(plan.g, plan.splits * plan.padded_rows * plan.pitch);
  carver.take(plan.row_loss, rows);
  carver.take(plan.counters, 2);
  return carver.bytes();
}

void validate_info_nce(const MomentumQueueOptions& queue, int64_t rows, const InfoNceOptions& options) {
  validate_queue(queue);
  validate_rows(rows);
  if (!std::isfinite(options.temperature) || options.temperature <= 0) {
    throw Error(kInvalidArgument, "expected a finite number > 0 for temperature but received " +
                                      std::to_string(options.temperature));
  }
}

template <class Products, bool kRunning, bool kOwn>
void weigh_of(const InfoNcePlan& plan, cudaStream_t stream) {
  StreamShape shape = {};
  shape.row_matrix = plan.z;
  shape.column_matrix = plan.bf16 ? plan.queue.tiles : plan.queue.keys;
  shape.columns = plan.queue.capacity;
  shape.dim = plan.dim;
  shape.panels = plan.panels;
  shape.chunks = plan.chunks;
  shape.splits = plan.splits;
  LaunchShape blocks = {};
  blocks.grid = dim3(static_cast<unsigned>(plan.panels),
                     static_cast<unsigned>(plan.gradient != nullptr ? plan.chunks : 1),
                     static_cast<unsigned>(plan.splits));
  blocks.threads = Products::kThreads;
  blocks.shared_bytes = Products::shared_bytes(plan.chunks);
  launch("weighing keys", stream_kernel<Products, QueueWeights<Products, kRunning, kOwn>>, blocks, stream,
         shape, plan);
}

template <class Products, bool kRunning>
void weigh(const InfoNcePlan& plan, cudaStream_t stream) {
  plan.ids == nullptr ? weigh_of<Products, kRunning, false>(plan, stream)
                      : weigh_of<Products, kRunning, true>(plan, stream);
}

}  // namespace

std::size_t queue_bytes(const MomentumQueueOptions& options) {
  validate_queue(options);
  QueueMemory queue = {};
  return lay_out(queue, options, nullptr);
}

void queue_restore(const DeviceQueue& device_queue, const float* keys, const float* ages, const int64_t* ids,
                   int64_t length, int64_t next, cudaStream_t stream) {
  const QueueMemory queue = open(device_queue.options, device_queue.memory);
  if (length < 0 || length > queue.capacity || next < 0 || next >= queue.capacity ||
      (length < queue.capacity && next != length)) {
    throw Error(kInvalidArgument, "expected a length up to the capacity, and the slot after the newest key");
  }
  if (length > 0) require_pointers({keys, ages});
  if (length > 0) require_ids(queue, ids);
  launch("restoring keys", restore_keys, row_blocks(queue.padded_slots), stream, queue, keys, ages, ids,
         length, next);
}

void queue_enqueue(const DeviceQueue& device_queue, const float* keys, int64_t rows, const int64_t* ids,
                   cudaStream_t stream) {
  const QueueMemory queue = open(device_queue.options, device_queue.memory);
  validate_rows(rows);
  require_pointers({keys});
  require_ids(queue, ids);
  const int64_t skipped = rows > queue.capacity ? rows - queue.capacity : 0;
  launch("enqueueing keys", enqueue_keys, row_blocks(rows - skipped), stream, queue, keys, ids, rows, skipped,
         device_queue.options.age_unit == AgeUnit::kKey);
}

void queue_read(float* keys, float* ages, int64_t* ids, int64_t* length, const DeviceQueue& device_queue,
                cudaStream_t stream) {
  const QueueMemory queue = open(device_queue.options, device_queue.memory);
  require_pointers({keys, ages, length});
  require_ids(queue, ids);
  launch("reading keys", read_keys, row_blocks(queue.capacity), stream, queue, keys, ages, ids, length);
}

std::size_t info_nce_workspace(const MomentumQueueOptions& queue, int64_t rows, const InfoNceOptions& options,
                               bool gradient) {
  validate_info_nce(queue, rows, options);
  InfoNcePlan plan = {};
  lay_out(plan.queue, queue, nullptr);
  return lay_out(plan, queue, rows, options, gradient, nullptr);
}

void info_nce(double* loss, float* gradient, const float* queries, const float* keys, int64_t rows,
              const DeviceQueue& queue, const InfoNceOptions& options, void* workspace,
              std::size_t workspace_bytes, cudaStream_t stream) {
  validate_info_nce(queue.options, rows, options);
  require_pointers({loss, queries, keys});
  InfoNcePlan plan = {};
  plan.queue = open(queue.options, queue.memory);
  const std::size_t needed = lay_out(plan, queue.options, rows, options, gradient != nullptr, workspace);
  require_workspace(workspace, workspace_bytes, needed);
  plan.queries = queries;
  plan.positive_keys = keys;
  if (options.ids != nullptr) require_ids(plan.queue, options.ids);
  plan.ids = options.ids;
  plan.gradient = gradient;
  plan.loss = loss;

  LaunchShape shape = {};
  shape.grid = dim3(static_cast<unsigned>(plan.padded_rows / kRowsPerBlock +
                                          ceil_div(plan.queue.padded_slots, kRowThreads)));
  shape.threads = kRowThreads;
  launch("loading queries", plan.bf16 ? load_queries<Operand::kBf16> : load_queries<Operand::kFp32>, shape,
         stream, plan);
  if (plan.hopper) {
    hopper_weigh_keys(plan, stream);
  } else if (plan.bf16) {
    plan.running ? weigh<MmaProducts, true>(plan, stream) : weigh<MmaProducts, false>(plan, stream);
  } else {
    plan.running ? weigh<SimtProducts, true>(plan, stream) : weigh<SimtProducts, false>(plan, stream);
  }
  shape.grid = dim3(static_cast<unsigned>(rows));
  shape.threads = kMergeWarps * kWarp;
  shape.shared_bytes = finish_queries_bytes(plan.dim);
  shape.overlaps = plan.hopper && launches_overlap();
  launch("finishing queries", finish_queries, shape, stream, plan);
}

}  // namespace vssl::cuda
