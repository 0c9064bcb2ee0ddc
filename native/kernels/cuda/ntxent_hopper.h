// NT-Xent's two passes on Hopper, for bf16, a fixed shift and up to 128 dims.
#pragma once

#include "ntxent_plan.h"

namespace vssl::cuda {

/// Below so many rows launches count for more than the products.
constexpr int64_t kHopperLeastRows = 1024;

/// What lies beside NtXentPlan's arrays: partial sums of the upper triangle's tiles, and 1 / sum of each row.
struct HopperSums {
  float* of_rows;     ///< a tile's 128 sums over its columns, by tile number; diagonal tiles leave none
  float* of_columns;  ///< a segment's 128 sums over its rows, by segment_slot()
  float* inverse;     ///< padded_rows; 0 in padding
};

inline int64_t hopper_tiles(int64_t panels) { return panels * (panels + 1) / 2; }
int hopper_workers(int64_t panels);

/// Blocks that share a panel of rows in the second pass, a cluster: 1, 2, 4 or 8.
int hopper_cluster(int64_t panels);

/// Leaves sums.inverse, plan.positives, and the loss.
void hopper_sum_rows(const NtXentPlan& plan, const HopperSums& sums, cudaStream_t stream);

/// The gradient from sums.inverse, written to its end.
void hopper_weigh_rows(const NtXentPlan& plan, const HopperSums& sums, cudaStream_t stream);

}  // namespace vssl::cuda
