// A branch and its momentum copy: k <- m k + (1 - m) q (He et al., "Momentum Contrast", CVPR 2020, eq. 2).
#pragma once

#include <string>
#include <vector>

#include "branch.h"

namespace vssl::engine {

// Moves every parameter of `target` towards the parameter of `source` with the same name. Buffers (BatchNorm
// statistics) are the copy's own: it has seen other inputs. m = 0 copies the parameters.
void momentum_update(Weights& target, const Weights& source, double m);

// BatchNorm sees the batch in so many parts, the keys in another order unless not shuffled: parts of the
// batch of all ranks, each of which has one of its own at least.
struct NormGroups {
  int64_t count = 1;
  bool shuffled = true;
};

class MomentumPair {
 public:
  MomentumPair(const MethodPlan& plan, const HeadOptions& head, const NormGroups& groups);

  // Clips (n, 3, T, H, W) -> queries (n, D) in fp32, not normalised, with a graph.
  Tensor embed_queries(const StepContext& context, const Tensor& clips) const {
    return embed_in_groups(context, query_, clips, context.pass());
  }
  // The same numbers without a graph, for a second look at a batch: BatchNorm's running statistics stay.
  Tensor look_at_queries(const StepContext& context, const Tensor& clips) const {
    const at::NoGradGuard no_grad;
    return embed_in_groups(context, query_, clips, context.pass(false));
  }
  // The momentum copy's embeddings of a view, (N, D), in the order of the batch, without a graph.
  Tensor keys(StepContext& context, const Rows& view) const;
  // Moves the copy by the step's momentum.
  void move_copy(const StepContext& context) const;

  // encoder, head, key_encoder, key_head behind a prefix.
  std::vector<Network> networks(const std::string& prefix = "") const;
  // momentum, and shuffle (the seed of the keys' order) where BatchNorm sees the batch in shuffled groups.
  std::vector<NumberSpec> numbers() const;

  const Branch& query() const { return query_; }
  const Branch& key() const { return key_; }

 private:
  Tensor embed_in_groups(const StepContext& context, const Branch& branch, const Tensor& clips,
                         Pass pass) const;

  NormGroups groups_;
  Branch query_, key_;
};

}  // namespace vssl::engine
