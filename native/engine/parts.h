// A network over parts of a batch, one a thread.
#pragma once

#include <functional>

#include "layers/pass.h"
#include "weights.h"

namespace vssl::engine {

// network(clips, pass) with its rows cut into as many parts as there are threads, each a thread's own from
// first to last layer; (N, ...) in the order of the clips, with gradients. Threads meet where BatchNorm sums
// over the batch (pass.ranks) and at the end. Within layers they would meet a thousand times a step, and wait
// each time for whoever was put off its core. Where processes share the batch, the threads of each meet first
// and exchange once; processes need not have as many threads.
//
// weights: those that `network` reads. Batches of fewer clips than threads, or of clips that threads cannot
// share evenly, go whole, and so does everything that is not on the CPU in channels-last layout.
Tensor in_parts(const Tensor& clips, const Pass& pass, const Weights& weights,
                const std::function<Tensor(const Tensor&, const Pass&)>& network);

}  // namespace vssl::engine
