// A step over two views of a batch whose loss compares every row with every other.
#pragma once

#include <functional>

#include "../method.h"

namespace vssl::engine {

// Clips of both views, view 1 stacked on view 2, (2n, 3, T, H, W) -> their rows (2n, D). The second argument
// says whether BatchNorm's running statistics move.
using EmbedPairs = std::function<Tensor(const Tensor& clips, bool update_stats)>;
// All rows (2N, D), view 1 stacked on view 2, without a graph -> the loss's gradient at them. It also
// accumulates the gradients of whatever lies between the rows and the loss.
using LossGradient = std::function<Tensor(const Tensor& rows)>;

// Embeds view1 and view2 of the batch chunk by chunk and runs backward: with the negatives of the whole batch
// and the memory of a chunk.
void step_pairs(StepContext& context, const EmbedPairs& embed, const LossGradient& gradient);

// NT-Xent times `scale` of this process's rows z (2n, D) against those of all processes. Reports
// "loss"; returns its gradient at z, (2n, D).
Tensor nt_xent_gradient(StepContext& context, const Tensor& z, double temperature, double scale);

}  // namespace vssl::engine
