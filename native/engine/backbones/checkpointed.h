// Stages whose activations are not kept (Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016):
// the memory of one stage at a time, for a second forward.
#pragma once

#include "video_net.h"

namespace vssl::engine {

// net.stage(index, x, pass) of a pass in training, with gradients. Only x is kept; the backward computes the
// stage again, bit for bit, and leaves BatchNorm's running statistics alone.
Tensor checkpointed(const VideoNet& net, int64_t index, const Tensor& x, const Pass& pass);

}  // namespace vssl::engine
