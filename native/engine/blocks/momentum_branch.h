// A branch with its momentum copy and a queue of the copy's past keys: what MoCo is made of once, and a
// method with two kinds of input twice.
#pragma once

#include "key_queue.h"
#include "branch.h"

namespace vssl::engine {

struct MomentumOptions {
  HeadOptions head;
  double temperature = 0.2;
  MomentumQueueOptions queue;  // dim is filled from the head, seed from the plan
  int64_t norm_groups = 1;     // BatchNorm sees the batch in so many parts, the keys in another order
};

// The names of these options among a method's, the head's included.
std::vector<std::string> momentum_keys();
MomentumOptions read_momentum(const Value& options, MomentumOptions defaults);

class MomentumBranch {
 public:
  MomentumBranch(const MethodPlan& plan, MomentumOptions options);

  // Clips (n, 3, T, H, W) -> queries (n, D) in fp32, not normalised, with a graph.
  Tensor embed_queries(const StepContext& context, const Tensor& clips) const {
    return embed_in_groups(query_, clips, context.compute, true);
  }
  // The same numbers without a graph, for a second look at a batch: BatchNorm's running statistics stay.
  Tensor look_at_queries(const StepContext& context, const Tensor& clips) const {
    const at::NoGradGuard no_grad;
    return embed_in_groups(query_, clips, context.compute, false);
  }
  // The momentum copy's embeddings of a view, (N, D), in the order of the batch, without a graph.
  Tensor keys(StepContext& context, const View& view) const;
  // Of queries with the keys of the same rows, against this branch's queue.
  Tensor info_nce(const Tensor& queries, const Tensor& keys) const {
    return queue_->info_nce_loss(queries, keys, options_.temperature);
  }

  // momentum, and shuffle where BatchNorm sees the batch in groups.
  std::vector<HyperKey> hyper_keys() const;

  // Moves the copy by the step's momentum; then the keys enter the queue.
  void commit(const StepContext& context, const std::vector<Tensor>& keys);

  const Branch& query() const { return query_; }
  const Branch& key() const { return key_; }
  KeyQueue& queue() const { return *queue_; }

 private:
  Tensor embed_in_groups(const Branch& branch, const Tensor& clips, at::ScalarType compute,
                         bool update_stats) const;

  MomentumOptions options_;
  Branch query_, key_;
  std::unique_ptr<KeyQueue> queue_;
};

}  // namespace vssl::engine
