// A step over views of a batch whose loss compares every row with every other.
#pragma once

#include <functional>

#include "../method.h"

namespace vssl::engine {

// Clips of all views, view 1 stacked on view 2 and so on, (V n, 3, T, H, W) -> their rows (V n, D). The
// second argument says whether BatchNorm's running statistics move.
using EmbedPairs = std::function<Tensor(const Tensor& clips, bool update_stats)>;
// All rows (V n, D), stacked in the same way, without a graph -> the loss's gradient at them. It also
// accumulates the gradients of whatever lies between the rows and the loss.
using LossGradient = std::function<Tensor(const Tensor& rows)>;

// Embeds views of the batch chunk by chunk and runs backward: with the negatives of the whole batch and the
// memory of a chunk.
void step_pairs(StepContext& context, const EmbedPairs& embed, const LossGradient& gradient,
                const std::vector<std::string>& names = {"view1", "view2"});

// NT-Xent times `scale` of this process's rows z (2n, D) against those of all processes. Reports
// "loss"; returns its gradient at z, (2n, D).
Tensor nt_xent_gradient(StepContext& context, const Tensor& z, double temperature, double scale);

// The same of rows (3n, D), the last n of which are negatives of their own video alone: of the two rows of
// video i, row 2n + i. By general operations, with the memory of (2N)^2 numbers.
Tensor nt_xent_against_own(StepContext& context, const Tensor& z, double temperature, double scale);

}  // namespace vssl::engine
