// How matrices lie in device memory, and which tiles a block works on. Plain arithmetic for host and device.
#pragma once

#include <cstdint>

#ifdef __CUDACC__
#define VSSL_HOST_DEVICE __host__ __device__
#else
#define VSSL_HOST_DEVICE
#endif

namespace vssl::cuda {

VSSL_HOST_DEVICE constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// A matrix of bf16 in tiles: panels of 128 rows; a panel is blocks of 64 dims; a block is 128 rows of 128
// bytes, whose eight 16-byte pieces are permuted by the row (piece c of row r lies at c xor r mod 8). That is
// the image which ldmatrix reads without bank conflicts and which wgmma calls 128-byte swizzled, so tiles
// travel to shared memory as they lie. Missing rows and dims are zero.
constexpr int kPanelRows = 128;
constexpr int kBlockDims = 64;
constexpr int kRowBytes = 2 * kBlockDims;
constexpr int kBlockBytes = kPanelRows * kRowBytes;

/// Bytes from a block's begin to piece `piece` (8 dims) of row `row`.
VSSL_HOST_DEVICE constexpr int piece_offset(int row, int piece) {
  return row * kRowBytes + ((piece ^ (row & 7)) << 4);
}

/// Bytes from the matrix's begin to element (row, dim); `blocks` is blocks a panel.
VSSL_HOST_DEVICE constexpr int64_t tiled_offset(int64_t row, int dim, int blocks) {
  const int64_t block = row / kPanelRows * blocks + dim / kBlockDims;
  return block * kBlockBytes + piece_offset(static_cast<int>(row % kPanelRows), dim % kBlockDims / 8) +
         dim % 8 * 2;
}

VSSL_HOST_DEVICE constexpr int blocks_of(int64_t dim) { return static_cast<int>(ceil_div(dim, kBlockDims)); }

/// Bytes of a rows x dim matrix in tiles.
constexpr int64_t tiled_bytes(int64_t rows, int64_t dim) {
  return ceil_div(rows, kPanelRows) * blocks_of(dim) * kBlockBytes;
}

/// A contiguous share of `count` things: the first of part `part` of `parts`. Shares differ by one at most.
VSSL_HOST_DEVICE constexpr int64_t share_begin(int64_t count, int64_t part, int64_t parts) {
  return count * part / parts;
}

}  // namespace vssl::cuda
