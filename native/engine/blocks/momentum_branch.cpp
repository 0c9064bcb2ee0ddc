#include "momentum_branch.h"

namespace vssl::engine {

MomentumOptions read_momentum(Options& options) {
  MomentumOptions o;
  o.head = read_head(options);
  o.temperature = options.number("temperature", 1e-6);
  o.queue.capacity = options.count("queue", 1, kMostQueueKeys);
  o.queue.ids = options.flag("skipOwnKeys");
  o.queue.decay = options.number("decay", 1e-9);
  o.queue.decay_on =
      options.choice<DecayOn>("decayOn", {{"logit", DecayOn::kLogit}, {"weight", DecayOn::kWeight}});
  o.queue.age_unit =
      options.choice<AgeUnit>("ageUnit", {{"enqueue", AgeUnit::kEnqueue}, {"key", AgeUnit::kKey}});
  o.groups.count = options.count("normGroups", 1);
  o.groups.shuffled = options.flag("shuffle");
  return o;
}

MomentumBranch::MomentumBranch(const MethodPlan& plan, const MomentumOptions& options)
    : MomentumPair(plan, options.head, options.groups),
      temperature_(options.temperature),
      skips_own_keys_(options.queue.ids) {
  MomentumQueueOptions queue = options.queue;
  queue.dim = options.head.out;
  queue.seed = plan.seed;
  queue_options_ = queue;
  queue_ = create_key_queue(queue, plan.placement.device);
}

void MomentumBranch::commit(const StepContext& context, const std::vector<Tensor>& keys) const {
  move_copy(context);
  Tensor videos = videos_of(context);
  if (videos.defined()) videos = context.collectives.all_gather(videos);
  for (const Tensor& k : keys) queue_->enqueue(context.collectives.all_gather(k), videos);
}

std::vector<RowsSpec> MomentumBranch::side() const {
  if (!skips_own_keys_) return {};
  return {{"video", at::kLong, {}}};
}

}  // namespace vssl::engine
