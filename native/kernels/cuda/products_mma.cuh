// Products of the portable path in bf16 with fp32 accumulation: mma.sync on tiles in the layout of layout.h.
// 4 warps of 32 rows; a warp keeps its 32 x 64 of S and its 32 x 128 of O in registers.
#pragma once

#include "ptx_sm80.cuh"
#include "stream.cuh"

namespace vssl::cuda {

struct MmaProducts {
  static constexpr int kThreads = 128;
  static constexpr int kPanel = kPanelRows;
  static constexpr int kAtoms = 2;                   // of 16 rows, one below the other
  static constexpr int kRows = 2 * kAtoms;           // rows a thread has a part of
  static constexpr int kColumns = kTileColumns / 4;  // columns a thread has of each
  static constexpr int kRowLanes = 4;                // neighbouring lanes that share a row
  static constexpr int kOutput = kChunkDims / 4;     // of a row of O a thread has these many
  static constexpr int kChunkBlocks = kChunkDims / kBlockDims;
  static constexpr int kTileBlockBytes = kTileColumns * kRowBytes;   // one block of dims of a tile
  static constexpr int kTileBytes = kChunkBlocks * kTileBlockBytes;  // a chunk of a tile
  static constexpr int kRowsBytes = kChunkBlocks * kBlockBytes;      // a chunk of the panel of rows

  /// Two stages of columns; one chunk of rows, or two stages of it when there are several chunks.
  static std::size_t shared_bytes(int chunks) { return 2 * kTileBytes + (chunks > 1 ? 2 : 1) * kRowsBytes; }

  __device__ MmaProducts(const StreamShape& shape, int panel, int chunk, int64_t begin, int64_t end)
      : shape_(shape),
        blocks_(blocks_of(shape.dim)),
        panel_(panel),
        chunk_(chunk),
        begin_(static_cast<int>(begin)),
        steps_(static_cast<int>(end - begin) * shape.chunks),
        warp_(static_cast<int>(threadIdx.x) / kWarp),
        lane_(static_cast<int>(threadIdx.x) % kWarp),
        shared_(shared_address(shared_memory())) {
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
#pragma unroll
      for (int c = 0; c < kOutput; ++c) o_[r][c] = 0;
    }
    load(0);
  }

  /// Row in the panel, and column in the tile, of s[r][c].
  __device__ int row(int r) const { return warp_ * 16 * kAtoms + r / 2 * 16 + r % 2 * 8 + lane_ / 4; }
  __device__ int column(int c) const { return c / 2 * 8 + lane_ % 4 * 2 + c % 2; }
  __device__ bool leads_row() const { return lane_ % kRowLanes == 0; }

  /// s = this tile's part of Z C'. Tiles come in order, one a call.
  __device__ void similarity(float (&s)[kRows][kColumns]) {
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
#pragma unroll
      for (int c = 0; c < kColumns; ++c) s[r][c] = 0;
    }
    for (int q = 0; q < shape_.chunks; ++q) {
      copies_done();
      __syncthreads();  // step_ has arrived for all, and nobody reads the other stage any more
      if (step_ + 1 < steps_) load(step_ + 1);
      multiply(s);
      ++step_;
    }
  }

  /// O += P C, where s holds P; of the chunk that similarity() came to last, which is the block's own.
  __device__ void accumulate(const float (&p)[kRows][kColumns]) {
    const uint32_t tile = tile_address(step_ - 1);
    const int blocks = blocks_in(chunk_);
#pragma unroll
    for (int k = 0; k < kTileColumns / 16; ++k) {
      uint32_t a[kAtoms][4];
#pragma unroll
      for (int atom = 0; atom < kAtoms; ++atom) {
        const float* upper = p[2 * atom];
        const float* lower = p[2 * atom + 1];
        a[atom][0] = pack_bf16(upper[4 * k], upper[4 * k + 1]);
        a[atom][1] = pack_bf16(lower[4 * k], lower[4 * k + 1]);
        a[atom][2] = pack_bf16(upper[4 * k + 2], upper[4 * k + 3]);
        a[atom][3] = pack_bf16(lower[4 * k + 2], lower[4 * k + 3]);
      }
      const int j = k * 16 + lane_ / 8 % 2 * 8 + lane_ % 8;
#pragma unroll
      for (int block = 0; block < kChunkBlocks; ++block) {
        if (block < blocks) {
#pragma unroll
          for (int n = 0; n < kBlockDims / 16; ++n) {
            uint32_t b[4];
            load_matrices_transposed(b, tile + block * kTileBlockBytes + piece_offset(j, 2 * n + lane_ / 16));
            const int c = (block * (kBlockDims / 16) + n) * 4;
#pragma unroll
            for (int atom = 0; atom < kAtoms; ++atom) {
              multiply_16x8x16(&o_[2 * atom][c], &o_[2 * atom + 1][c], a[atom], b[0], b[1]);
              multiply_16x8x16(&o_[2 * atom][c + 2], &o_[2 * atom + 1][c + 2], a[atom], b[2], b[3]);
            }
          }
        }
      }
    }
  }

  /// Row r of O times factor.
  __device__ void scale_row(int r, float factor) {
#pragma unroll
    for (int c = 0; c < kOutput; ++c) o_[r][c] *= factor;
  }

  /// Element c of the thread's part of row r of O, and which of all dims it is.
  __device__ float output(int r, int c) const { return o_[r][c]; }
  __device__ int output_dim(int c) const { return chunk_ * kChunkDims + c / 2 * 8 + lane_ % 4 * 2 + c % 2; }

 private:
  __device__ int blocks_in(int chunk) const {
    const int rest = blocks_ - chunk * kChunkBlocks;
    return rest < kChunkBlocks ? rest : kChunkBlocks;
  }
  // A tile's chunks are taken so that the block's own comes last and is still there for accumulate().
  __device__ int chunk_at(int step) const { return (chunk_ + 1 + step % shape_.chunks) % shape_.chunks; }
  __device__ uint32_t tile_address(int step) const {
    return shared_ + static_cast<uint32_t>(step % 2) * kTileBytes;
  }
  __device__ uint32_t rows_address(int step) const {
    const uint32_t stage = shape_.chunks > 1 ? static_cast<uint32_t>(step % 2) : 0;
    return shared_ + 2 * kTileBytes + stage * kRowsBytes;
  }

  __device__ void load(int step) {
    const int chunk = chunk_at(step);
    const int blocks = blocks_in(chunk);
    const int64_t first = static_cast<int64_t>(begin_ + step / shape_.chunks) * kTileColumns;
    const char* const columns = static_cast<const char*>(shape_.column_matrix) +
                                (first / kPanelRows * blocks_ + chunk * kChunkBlocks) * kBlockBytes +
                                first % kPanelRows * kRowBytes;
    for (int block = 0; block < blocks; ++block) {
      copy(tile_address(step) + block * kTileBlockBytes, columns + block * kBlockBytes, kTileBlockBytes);
    }
    if (step > 0 && shape_.chunks == 1) return;
    const char* const rows = static_cast<const char*>(shape_.row_matrix) +
                             (static_cast<int64_t>(panel_) * blocks_ + chunk * kChunkBlocks) * kBlockBytes;
    copy(rows_address(step), rows, blocks * kBlockBytes);
  }

  __device__ void copy(uint32_t to, const char* from, int bytes) const {
    for (int at = static_cast<int>(threadIdx.x) * 16; at < bytes; at += kThreads * 16)
      copy_async16(to + static_cast<uint32_t>(at), from + at);
  }

  __device__ void multiply(float (&s)[kRows][kColumns]) const {
    const uint32_t tile = tile_address(step_), rows = rows_address(step_);
    const int blocks = blocks_in(chunk_at(step_));
    const int a_row = warp_ * 16 * kAtoms + lane_ / 8 % 2 * 8 + lane_ % 8;
    const int b_row = lane_ / 16 * 8 + lane_ % 8;
    for (int block = 0; block < blocks; ++block) {
#pragma unroll
      for (int k = 0; k < kBlockDims / 16; ++k) {
        uint32_t a[kAtoms][4];
#pragma unroll
        for (int atom = 0; atom < kAtoms; ++atom) {
          load_matrices(a[atom],
                        rows + block * kBlockBytes + piece_offset(a_row + 16 * atom, 2 * k + lane_ / 16));
        }
#pragma unroll
        for (int n = 0; n < kTileColumns / 16; ++n) {
          uint32_t b[4];
          load_matrices(b,
                        tile + block * kTileBlockBytes + piece_offset(16 * n + b_row, 2 * k + lane_ / 8 % 2));
#pragma unroll
          for (int atom = 0; atom < kAtoms; ++atom) {
            multiply_16x8x16(&s[2 * atom][4 * n], &s[2 * atom + 1][4 * n], a[atom], b[0], b[1]);
            multiply_16x8x16(&s[2 * atom][4 * n + 2], &s[2 * atom + 1][4 * n + 2], a[atom], b[2], b[3]);
          }
        }
      }
    }
  }

  const StreamShape& shape_;
  const int blocks_;  // of dims a panel
  const int panel_, chunk_;
  const int begin_, steps_;  // a step is one chunk of one tile
  int step_ = 0;
  const int warp_, lane_;
  const uint32_t shared_;
  float o_[kRows][kOutput];
};

}  // namespace vssl::cuda
