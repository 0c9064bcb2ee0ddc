// The momentum queue of native/kernels as methods use it: tensors in, a loss with a gradient out. Its state
// in a checkpoint: keys (K, D), ages (K) and next, the slot of the next key.
#pragma once

#include <memory>

#include "../../kernels/queue.h"
#include "../method.h"

namespace vssl::engine {

class KeyQueue : public Stored {
 public:
  // keys (n, D), the newest last; L2-normalised on the way.
  virtual void enqueue(const Tensor& keys) = 0;
  // InfoNCE of queries (n, D) with the keys (n, D) of the same rows as positives: a scalar, the mean over
  // rows, whose gradient goes to the queries. Both are L2-normalised first. Equation: info_nce in
  // native/kernels/queue.h.
  virtual Tensor info_nce_loss(const Tensor& queries, const Tensor& keys, double temperature) const = 0;
};

// Begins full of random keys drawn from options.seed, the same on every device.
std::unique_ptr<KeyQueue> create_key_queue(const MomentumQueueOptions& options, at::Device device);

// The loss from its formula with ATen's operations in the type of the queries: keys (n, D), queue (K, D),
// ages (K).
Tensor info_nce_from_formula(const Tensor& queries, const Tensor& keys, const Tensor& queue,
                             const Tensor& ages, const MomentumQueueOptions& options, double temperature);

}  // namespace vssl::engine
