#include "momentum_contrast.h"

namespace vssl::engine {

MomentumContrast::MomentumContrast(const MethodPlan& plan)
    : symmetric_(plan.options.flag("symmetric")), branch_(plan, read_momentum(plan.options)) {}

std::vector<std::pair<std::string, VideoNet*>> MomentumContrast::encoders() {
  return {{"query", &branch_.query().encoder()}, {"key", &branch_.key().encoder()}};
}

void MomentumContrast::learn_chunk(StepContext& context, const Tensor& clips, const Tensor& keys,
                                   const Tensor& videos, double share) {
  Tensor q, loss;
  {
    const Stopwatch watch(context.times.forward);
    q = branch_.embed_queries(context, clips);
  }
  {
    const Stopwatch watch(context.times.loss);
    loss = branch_.info_nce(q, keys, videos) * share;
  }
  context.report("loss", loss);
  const Stopwatch watch(context.times.backward);
  loss.backward();
}

// The loss of a query needs no other query, so chunks are exact but for BatchNorm's statistics.
void MomentumContrast::learn(StepContext& context, const Rows& view, const Tensor& keys) {
  const Tensor videos = branch_.videos_of(context);
  for (const Chunk& chunk : context.chunks())
    learn_chunk(context, context.clips(view, chunk), keys.slice(0, chunk.begin, chunk.end),
                MomentumBranch::part_of(videos, chunk), chunk.share);
}

void MomentumContrast::step(StepContext& context) {
  const Rows &first = context.view("view1"), &second = context.view("view2");
  check_same_shape(first, second);
  fresh_ = {branch_.keys(context, second)};
  if (symmetric_) fresh_.push_back(branch_.keys(context, first));
  learn(context, first, fresh_[0]);
  if (symmetric_) learn(context, second, fresh_[1]);
}

void MomentumContrast::commit(const StepContext& context) {
  branch_.commit(context, fresh_);
  fresh_.clear();
}

}  // namespace vssl::engine
