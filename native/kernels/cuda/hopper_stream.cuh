// The loop of stream.cuh for Hopper, in bf16: a block keeps 128 rows, streams tiles of 128 columns past them.
//
//   producer     one thread of the first warpgroup: bulk copies of tiles and of the columns' terms into a
//   ring consumers    two warpgroups of 64 rows each:
//                  S = Z C'                      wgmma, both operands in shared memory
//                  S -> weights                  the policy, on registers
//                  O += weights C                wgmma, weights in registers
//
// The second product of a tile is under way while the policy works on the next tile's S, and the warpgroups
// are out of step with each other, so that tensor cores and exponentials overlap.
#pragma once

#include "ptx_sm90.cuh"

namespace vssl::cuda {

constexpr int kHopperThreads = 384;
constexpr int kConsumerWarps = 8;
// A block of 384 threads starts with 168 registers a thread; what the producers give up the consumers take.
VSSL_HOST_DEVICE constexpr int consumer_registers(int producer_registers) {
  return (3 * 168 - producer_registers) / 2;
}
constexpr int kHopperTile = kPanelRows;  // columns
constexpr int kHopperStages = 4;
constexpr int kHopperWorkers = 132;  // blocks wanted: the SMs of an H100 or H200; sizes alone decide the bits
constexpr int kHopperMostBlocks = 2;  // of 64 dims
constexpr int kTileFloats = 64;       // of S a consumer thread has these many

/// Where a consumer thread's values of S are in the tile: s[4 n + 2 h + e] is row(h), column(4 n + 2 h + e).
struct HopperPlace {
  int warp, lane;  // warp: of the consumers, 0 to 7
  __device__ int row(int half) const { return warp * 16 + half * 8 + lane / 4; }
  __device__ int column(int i) const { return i / 4 * 8 + lane % 4 * 2 + i % 2; }
};

/// Shared memory: scratch for block_sum() where the portable kernels have it, barriers, then tiles on a
/// 1024-byte boundary.
constexpr int kBarriersOffset = 512;
constexpr int kTilesOffset = 1024;

/// The first 1024-byte boundary at or after kTilesOffset.
inline __device__ uint32_t tiles_address() {
  return (shared_address(shared_memory()) + kTilesOffset + 1023) & ~1023u;
}

/// A ring of buffers between the producer and the consumers: `full` and `empty` barriers of each.
struct Ring {
  uint32_t barriers;  // full[0..count), then empty[0..count)
  int count;

  __device__ uint32_t full(int buffer) const { return barriers + 8u * static_cast<uint32_t>(buffer); }
  __device__ uint32_t empty(int buffer) const { return full(count + buffer); }
  __device__ void init() const {
    for (int i = 0; i < count; ++i) {
      barrier_init(full(i), 1);
      barrier_init(empty(i), kConsumerWarps);
    }
  }
};

/// Whose turn it is in a ring: the buffer, and the parity of its phase.
struct Turn {
  int buffer = 0;
  uint32_t parity = 0;

  __device__ void next(int count) {
    if (++buffer == count) {
      buffer = 0;
      parity ^= 1;
    }
  }
};

/// Waits until the consumers have left the buffer, then lets `bytes` come.
inline __device__ void open_buffer(const Ring& ring, Turn turn, uint32_t bytes) {
  barrier_wait(ring.empty(turn.buffer), turn.parity ^ 1);  // the first time round it is empty already
  barrier_expect(ring.full(turn.buffer), bytes);
}

/// Called by all lanes of a consumer warp when it reads the buffer no more.
inline __device__ void leave_buffer(const Ring& ring, int buffer) {
  if (threadIdx.x % kWarp == 0) barrier_arrive(ring.empty(buffer));
}

/// S = rows times columns', both kBlocks blocks of dims at 128 rows a block; issued, not waited for. `rows`
/// is the warpgroup's own first row.
template <int kBlocks>
inline __device__ void issue_similarity(float (&s)[kTileFloats], uint32_t rows, uint32_t columns) {
  products_begin();
#pragma unroll
  for (int block = 0; block < kBlocks; ++block) {
#pragma unroll
    for (int k = 0; k < kBlockDims / 16; ++k) {
      const uint32_t step = block * kBlockBytes + k * kRowStepBytes;
      multiply_64x128x16(s, along_rows(rows + step), along_rows(columns + step), block + k > 0);
    }
  }
  products_commit();
}

/// O += P C; issued, not waited for. p holds P as the products want it, four words for each 16 columns.
template <int kBlocks>
inline __device__ void issue_accumulate(float (&o)[32 * kBlocks], const uint32_t (&p)[kTileFloats / 2],
                                        uint32_t columns) {
  products_begin();
#pragma unroll
  for (int k = 0; k < kHopperTile / 16; ++k) {
    const uint32_t a[4] = {p[4 * k], p[4 * k + 1], p[4 * k + 2], p[4 * k + 3]};
    add_product_x16(o, a, along_dims(columns + k * kDimStepBytes, kBlockBytes));
  }
  products_commit();
}

/// Columns 16 k.. of S: rows g and g + 8 of columns 2t.., then of columns 2t + 8...
inline __device__ void pack_weights(uint32_t (&p)[kTileFloats / 2], const float (&s)[kTileFloats]) {
#pragma unroll
  for (int i = 0; i < kTileFloats / 2; ++i) p[i] = pack_bf16(s[2 * i], s[2 * i + 1]);
}

template <int kCount>
inline __device__ void keep_in_place(float (&x)[kCount]) {
#pragma unroll
  for (int i = 0; i < kCount; ++i) keep_in_place(x[i]);
}

struct HopperShape {
  const void* row_matrix;  ///< tiles of layout.h
  const void* column_matrix;
  const float* terms;  ///< Policy::kTerms floats a column
  int64_t column_tiles;
  int splits;  ///< shares of the tiles: neighbours along grid.x
};

template <int kBlocks, class Policy>
struct HopperStream {
  static constexpr uint32_t kPanelBytes = kBlocks * kBlockBytes;
  static constexpr uint32_t kTermBytes = Policy::kTerms * kHopperTile * sizeof(float);
  static constexpr uint32_t kStageBytes = kPanelBytes + 1024;  // the terms follow the tile
  static_assert(kTermBytes <= 1024, "a tile's terms have 1024 bytes");
  static constexpr std::size_t kSharedBytes = kTilesOffset + 1024 + kPanelBytes + kHopperStages * kStageBytes;

  /// All of the block's threads. O is in the consumers' registers when policy.finish() gets it.
  static __device__ void run(const HopperShape& shape, const typename Policy::Arguments& arguments) {
    const int panel = static_cast<int>(blockIdx.x) / shape.splits;
    const int split = static_cast<int>(blockIdx.x) % shape.splits;
    const int64_t begin = share_begin(shape.column_tiles, split, shape.splits);
    const int64_t end = share_begin(shape.column_tiles, split + 1, shape.splits);
    const uint32_t barriers = shared_address(shared_memory()) + kBarriersOffset;
    const Ring ring = {barriers + 8, kHopperStages};
    if (threadIdx.x == 0) {
      barrier_init(barriers, 1);
      ring.init();
      barriers_ready();
    }
    take_over();
    __syncthreads();
    const uint32_t rows = tiles_address();
    const uint32_t stages = rows + kPanelBytes;
    if (threadIdx.x < 128) {
      give_registers<Policy::kProducerRegisters>();
      if (threadIdx.x == 0) produce(shape, panel, begin, end, barriers, ring, rows, stages);
      Policy::finish_producer(arguments);
    } else {
      take_registers<consumer_registers(Policy::kProducerRegisters)>();
      consume(arguments, panel, split, begin, end, barriers, ring, rows, stages);
    }
  }

 private:
  static __device__ void produce(const HopperShape& shape, int panel, int64_t begin, int64_t end,
                                 uint32_t rows_full, const Ring& ring, uint32_t rows, uint32_t stages) {
    barrier_expect(rows_full, kPanelBytes);
    bulk_copy(rows, static_cast<const char*>(shape.row_matrix) + static_cast<int64_t>(panel) * kPanelBytes,
              kPanelBytes, rows_full);
    Turn turn;
    for (int64_t tile = begin; tile < end; ++tile) {
      const uint32_t stage = stages + static_cast<uint32_t>(turn.buffer) * kStageBytes;
      open_buffer(ring, turn, kPanelBytes + kTermBytes);
      bulk_copy(stage, static_cast<const char*>(shape.column_matrix) + tile * kPanelBytes, kPanelBytes,
                ring.full(turn.buffer));
      bulk_copy(stage + kPanelBytes, shape.terms + tile * (kHopperTile * Policy::kTerms), kTermBytes,
                ring.full(turn.buffer));
      turn.next(ring.count);
    }
  }

  static __device__ void consume(const typename Policy::Arguments& arguments, int panel, int split,
                                 int64_t begin, int64_t end, uint32_t rows_full, const Ring& ring,
                                 uint32_t rows, uint32_t stages) {
    const int thread = static_cast<int>(threadIdx.x) - 128;
    const HopperPlace place = {thread / kWarp, thread % kWarp};
    Policy policy(arguments, place, panel);
    const uint32_t own_rows = rows + static_cast<uint32_t>(thread / 128) * (64 * kRowBytes);
    float s[kTileFloats], o[32 * kBlocks];
    uint32_t p[kTileFloats / 2];
#pragma unroll
    for (int i = 0; i < 32 * kBlocks; ++i) o[i] = 0;
#pragma unroll
    for (int i = 0; i < kTileFloats; ++i) s[i] = 0;

    barrier_wait(rows_full, 0);
    Turn turn;
    if (begin < end) {
      const uint32_t stage = stages;
      barrier_wait(ring.full(turn.buffer), turn.parity);
      keep_in_place(s);
      issue_similarity<kBlocks>(s, own_rows, stage);
      products_wait<0>();
      keep_in_place(s);
      policy.tile(s, terms_at(stage), begin * kHopperTile);
      pack_weights(p, s);
    }
    for (int64_t tile = begin + 1; tile < end; ++tile) {
      const Turn before = turn;
      const uint32_t stage_before = stages + static_cast<uint32_t>(before.buffer) * kStageBytes;
      turn.next(ring.count);
      const uint32_t stage = stages + static_cast<uint32_t>(turn.buffer) * kStageBytes;
      barrier_wait(ring.full(turn.buffer), turn.parity);
      keep_in_place(s);
      issue_similarity<kBlocks>(s, own_rows, stage);
      keep_in_place(o);
      issue_accumulate<kBlocks>(o, p, stage_before);
      products_wait<1>();
      keep_in_place(s);
      policy.tile(s, terms_at(stage), tile * kHopperTile);
      products_wait<0>();
      keep_in_place(o);
      leave_buffer(ring, before.buffer);
      pack_weights(p, s);
    }
    if (begin < end) {
      keep_in_place(o);
      issue_accumulate<kBlocks>(o, p, stages + static_cast<uint32_t>(turn.buffer) * kStageBytes);
      products_wait<0>();
      keep_in_place(o);
    }
    policy.finish(o, panel, split);
  }

  // The terms of a stage as ordinary shared memory.
  static __device__ const float* terms_at(uint32_t stage) {
    const uint32_t offset = stage + kPanelBytes - shared_address(shared_memory());
    return reinterpret_cast<const float*>(shared_memory() + offset);
  }
};

}  // namespace vssl::cuda
