// The one loop of the portable path. A block keeps a panel of rows, streams tiles of columns past it, and
// leaves what becomes of S = Z C' to a policy:
//
//   for each tile of columns:  S = Z C'             Products::similarity
//                              S -> weights, sums   Policy::tile
//                              O += weights C       Products::accumulate, where the policy asks for it
//
// Products are products_mma.cuh (bf16, tensor cores) or products_simt.cuh (fp32). A policy sees the part of S
// that its thread holds as s[kRows][kColumns] and asks the products which row and column an element is.
//
// O is as wide as one chunk of 128 dims; with more dims a block a chunk computes S again for itself. Few
// panels are made more blocks by splitting the columns. Splits depend on sizes alone, so bits do too.
#pragma once

#include "device.cuh"
#include "layout.h"

namespace vssl::cuda {

constexpr int kChunkDims = 128;  // dims a block accumulates
constexpr int kTileColumns = 64;
constexpr int kWantedBlocks = 264;  // two for each of the 132 SMs of an H200

/// log2(e) / tau up to which one shift serves all rows: above it exp2(scale (s - 1)), s >= -1, could come
/// below 2^-120 and lose what matters of a row's sum. The passes then keep a running maximum for each row.
/// With unit rows that is tau < 0.0241.
constexpr float kLargestFixedScale = 60;

struct StreamShape {
  const void* row_matrix;     ///< the Products' layout, rows counted as whole panels
  const void* column_matrix;  ///< the same with whole tiles of columns; may be the same matrix
  int64_t columns;
  int dim;
  int panels;  ///< blocks along x
  int chunks;  ///< along y
  int splits;  ///< along z: shares of the tiles of columns
};

VSSL_HOST_DEVICE constexpr int64_t tiles_of(int64_t columns) { return ceil_div(columns, kTileColumns); }

/// How many shares the columns are cut into: enough blocks for a large device, two tiles a share at least.
inline int splits_for(int64_t panels, int64_t chunks, int64_t columns) {
  const int64_t wanted = kWantedBlocks / (panels * chunks);
  const int64_t most = tiles_of(columns) / 2;
  const int64_t splits = wanted < most ? wanted : most;
  return static_cast<int>(splits < 1 ? 1 : splits);
}

template <class Products, class Policy>
__global__ void __launch_bounds__(Products::kThreads)
    stream_kernel(const __grid_constant__ StreamShape shape,
                  const __grid_constant__ typename Policy::Arguments arguments) {
  const int panel = static_cast<int>(blockIdx.x);
  const int chunk = static_cast<int>(blockIdx.y);
  const int split = static_cast<int>(blockIdx.z);
  const int64_t tiles = tiles_of(shape.columns);
  const int64_t begin = share_begin(tiles, split, shape.splits);
  const int64_t end = share_begin(tiles, split + 1, shape.splits);

  Products products(shape, panel, chunk, begin, end);
  Policy policy(arguments, products, panel);
  for (int64_t tile = begin; tile < end; ++tile) {
    float s[Products::kRows][Products::kColumns];
    products.similarity(s);
    policy.tile(s, products, tile * kTileColumns);
    if (policy.accumulates()) products.accumulate(s);
  }
  policy.finish(products, panel, chunk, split);
}

}  // namespace vssl::cuda
