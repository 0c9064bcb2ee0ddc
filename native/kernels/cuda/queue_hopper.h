// InfoNCE's pass over the ring on Hopper, for bf16, a fixed shift and up to 128 dims.
#pragma once

#include "queue_plan.h"

namespace vssl::cuda {

/// Shares of the ring: as many as make the blocks that the device wants.
int hopper_key_splits(int panels, int64_t slots);

/// Fills plan.sums and, when there is a gradient, plan.g, as stream_kernel() with QueueWeights does.
void hopper_weigh_keys(const InfoNcePlan& plan, cudaStream_t stream);

}  // namespace vssl::cuda
