// A momentum pair with a queue of the copy's past keys: what MoCo is made of once, and a method with two
// kinds of input twice.
#pragma once

#include "key_queue.h"
#include "momentum_pair.h"

namespace vssl::engine {

struct MomentumOptions {
  HeadOptions head;
  double temperature = 0;
  MomentumQueueOptions queue;  // dim is filled from the head, seed from the plan
  NormGroups groups;
};

// temperature, queue (its keys), skipOwnKeys, decay, decayOn, ageUnit, normGroups, shuffle and the head's
// options.
MomentumOptions read_momentum(Options& options);

class MomentumBranch : public MomentumPair {
 public:
  MomentumBranch(const MethodPlan& plan, const MomentumOptions& options);

  // Of queries with the keys of the same rows, against this branch's queue; `videos` as videos_of() has them.
  Tensor info_nce(const Tensor& queries, const Tensor& keys, const Tensor& videos) const {
    return queue_->info_nce_loss(queries, keys, temperature_, videos);
  }
  // The same with one more negative for each query (n, D), undefined for none.
  Tensor info_nce(const Tensor& queries, const Tensor& keys, const Tensor& videos,
                  const Tensor& negatives) const {
    if (!negatives.defined()) return info_nce(queries, keys, videos);
    return queue_->info_nce_against_own(queries, keys, negatives, queue_options_, temperature_, videos);
  }
  // The numbers of the samples' videos where the queue leaves a query's own keys out; undefined where not.
  Tensor videos_of(const StepContext& context) const {
    return skips_own_keys_ ? context.side("video") : Tensor();
  }
  static Tensor part_of(const Tensor& videos, const Chunk& chunk) {
    return videos.defined() ? videos.slice(0, chunk.begin, chunk.end) : videos;
  }
  // What videos_of() reads.
  std::vector<RowsSpec> side() const;
  // Moves the copy by the step's momentum; then the keys enter the queue.
  void commit(const StepContext& context, const std::vector<Tensor>& keys) const;
  KeyQueue& queue() const { return *queue_; }

 private:
  double temperature_;
  bool skips_own_keys_;
  MomentumQueueOptions queue_options_;
  std::unique_ptr<KeyQueue> queue_;
};

}  // namespace vssl::engine
