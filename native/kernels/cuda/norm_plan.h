// How BatchNorm's rows x channels matrix is cut among blocks. Plain arithmetic on the host.
//
// Memory moves in pieces of 16 bytes (pieces.cuh). As many rows side by side as end on a whole piece are a
// wide row: one row of 64 channels, eight of 45 in bf16. Column v of it is of channel v % channels. So whole
// pieces move whatever the number of channels, and a thread, which stays in its columns, has the same few
// channels all along. Rows that fill no wide row are left at the end. All of it depends on sizes alone, never
// on addresses.
#pragma once

#include <cstdint>

#include "../training.h"
#include "layout.h"

namespace vssl::cuda {

constexpr int kNormThreads = 256;
constexpr int kMostAcross = 64;  // so that at most 48 of the threads have nothing to do

// Multiples of 132 SMs times 2, 3 and 4 blocks that may be at work on one: no half-filled last round.
#ifdef VSSL_CUDA_EMULATED
inline int kNormSumBlocks = 132 * 6;  // tests turn it down, so that small sizes give a thread many rows
#else
constexpr int kNormSumBlocks = 132 * 6;
#endif
constexpr int kNormBlocks = 132 * 12;

struct NormPlan {
  int64_t wide_rows;
  int width;  ///< values of a wide row: channels * fold
  int rest;   ///< values behind the last wide row, fewer than width
  int channels;
  int fold;     ///< rows of a wide row: 1, 2, 4 or 8
  int across;   ///< pieces of a wide row that a block takes; kNormThreads / across threads share a column
  int columns;  ///< blocks that cover a wide row: grid.x
  int slices;   ///< shares of the wide rows: grid.y
};

/// The plan for at most about `most_blocks` blocks, whose threads take `least_rows` or more where there are.
inline NormPlan norm_plan(const NormShape& shape, int most_blocks, int least_rows) {
  const int64_t piece = shape.type == Element::kFloat ? 4 : 8;
  NormPlan plan = {};
  plan.channels = static_cast<int>(shape.channels);
  plan.fold = 1;
  while (shape.channels * plan.fold % piece != 0) plan.fold *= 2;
  plan.width = plan.channels * plan.fold;
  plan.wide_rows = shape.rows / plan.fold;
  plan.rest = static_cast<int>(shape.rows % plan.fold * shape.channels);
  const int64_t pieces = plan.width / piece;
  plan.columns = static_cast<int>(ceil_div(pieces, kMostAcross));
  plan.across = static_cast<int>(ceil_div(pieces, plan.columns));
  const int64_t wanted = plan.wide_rows / (int64_t{kNormThreads / plan.across} * least_rows);
  const int64_t most = most_blocks / plan.columns;
  const int64_t slices = wanted < most ? wanted : most;
  plan.slices = static_cast<int>(slices < 1 ? 1 : slices);
  return plan;
}

}  // namespace vssl::cuda
