// The momentum queue of native/kernels as methods use it: tensors in, a loss with a gradient out. Its state
// in a checkpoint: keys (K, D), ages (K), next, the slot of the next key, and ids (K) where keys have
// numbers.
#pragma once

#include <memory>

#include "../../kernels/queue.h"
#include "../method.h"

namespace vssl::engine {

class KeyQueue : public Stored {
 public:
  // keys (n, D), the newest last; L2-normalised on the way. ids (n), int64, where keys have numbers.
  virtual void enqueue(const Tensor& keys, const Tensor& ids = {}) = 0;
  // InfoNCE of queries (n, D) with the keys (n, D) of the same rows as positives: a scalar, the mean over
  // rows, whose gradient goes to the queries. Both are L2-normalised first. Equation: info_nce in
  // native/kernels/queue.h. ids (n), int64: queued keys of a query's own number are left out.
  virtual Tensor info_nce_loss(const Tensor& queries, const Tensor& keys, double temperature,
                               const Tensor& ids = {}) const = 0;
  // The same with one more negative for each query, the rows of `negatives` (n, D), which do not decay. By
  // general operations over a copy of the queue.
  Tensor info_nce_against_own(const Tensor& queries, const Tensor& keys, const Tensor& negatives,
                              const MomentumQueueOptions& options, double temperature,
                              const Tensor& ids = {}) const;
};

// Begins full of random keys drawn from options.seed, the same on every device.
std::unique_ptr<KeyQueue> create_key_queue(const MomentumQueueOptions& options, at::Device device);

// The loss from its formula with ATen's operations in the type of the queries: keys (n, D), queue (K, D),
// ages (K); left_out (n, K), bool, undefined for none; negatives (n, D), one more for each row, undefined for
// none.
Tensor info_nce_from_formula(const Tensor& queries, const Tensor& keys, const Tensor& queue,
                             const Tensor& ages, const MomentumQueueOptions& options, double temperature,
                             const Tensor& left_out = {}, const Tensor& negatives = {});

}  // namespace vssl::engine
