#include "momentum_contrast.h"

namespace vssl::engine {

MomentumContrast::MomentumContrast(const MethodPlan& plan)
    : symmetric_(plan.options.flag("symmetric")),
      own_negatives_(plan.options.flag("ownNegatives")),
      branch_(plan, read_momentum(plan.options)) {}

std::vector<std::pair<std::string, VideoNet*>> MomentumContrast::encoders() {
  return {{"query", &branch_.query().encoder()}, {"key", &branch_.key().encoder()}};
}

void MomentumContrast::learn_chunk(StepContext& context, const Tensor& clips, const Against& against,
                                   double share) {
  Tensor q, loss;
  {
    const Stopwatch watch(context.times.forward);
    q = branch_.embed_queries(context, clips);
  }
  {
    const Stopwatch watch(context.times.loss);
    loss = info_nce(q, against) * share;
  }
  context.report("loss", loss);
  const Stopwatch watch(context.times.backward);
  loss.backward();
}

// The loss of a query needs no other query, so chunks are exact but for BatchNorm's statistics.
void MomentumContrast::learn(StepContext& context, const Rows& view, const Tensor& keys) {
  const Tensor videos = branch_.videos_of(context);
  for (const Chunk& chunk : context.chunks())
    learn_chunk(context, context.clips(view, chunk),
                {MomentumBranch::part_of(keys, chunk), MomentumBranch::part_of(videos, chunk),
                 MomentumBranch::part_of(negatives_, chunk)},
                chunk.share);
}

void MomentumContrast::step(StepContext& context) {
  const Rows &first = context.view("view1"), &second = context.view("view2");
  check_same_shape(first, second);
  fresh_ = {branch_.keys(context, second)};
  if (symmetric_) fresh_.push_back(branch_.keys(context, first));
  if (own_negatives_) negatives_ = branch_.keys(context, context.view("negative"));
  learn(context, first, fresh_[0]);
  if (symmetric_) learn(context, second, fresh_[1]);
}

void MomentumContrast::commit(const StepContext& context) {
  branch_.commit(context, fresh_);
  fresh_.clear();
}

}  // namespace vssl::engine
