#include "momentum_branch.h"

#include <algorithm>
#include <numeric>

#include "../errors.h"
#include "../random.h"
#include "momentum.h"

namespace vssl::engine {

namespace {

// Order of `n` rows drawn from a seed; its inverse puts them back.
Tensor permutation(int64_t n, uint64_t seed) {
  const CounterRandom random(seed, "shuffled keys");
  std::vector<int64_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return random.uniform(a) < random.uniform(b); });
  return at::tensor(order, at::kLong);
}

}  // namespace

MomentumBranch::MomentumBranch(const MethodPlan& plan, MomentumOptions options)
    : options_(std::move(options)), query_(plan, options_.head), key_(plan, options_.head) {
  options_.queue.dim = options_.head.out;
  options_.queue.seed = plan.seed;
  queue_ = create_key_queue(options_.queue, plan.placement.device);
}

Tensor MomentumBranch::embed_in_groups(const Branch& branch, const Tensor& clips, at::ScalarType compute,
                                       bool update_stats) const {
  Pass pass;
  pass.train = true;
  pass.update_stats = update_stats;
  pass.compute = compute;
  const int64_t n = clips.size(0), groups = std::min(options_.norm_groups, n);
  std::vector<Tensor> parts;
  for (int64_t g = 0; g < groups; ++g)
    parts.push_back(branch.embed(clips.slice(0, n * g / groups, n * (g + 1) / groups), pass));
  return groups == 1 ? parts[0] : at::cat(parts);
}

Tensor MomentumBranch::keys(StepContext& context, const View& view) const {
  const Stopwatch watch(context.times.forward);
  const at::NoGradGuard no_grad;
  const int64_t n = view.clips.size(0), chunks = std::min(context.accumulate, n);
  View ordered = view;
  Tensor back;
  if (options_.norm_groups > 1 && !context.hyper["shuffle"].is_null()) {
    const Tensor order =
        permutation(n, static_cast<uint64_t>(context.hyper["shuffle"].as_number("hyper.shuffle")));
    ordered.clips = view.clips.index_select(0, order).contiguous(view.clips.suggest_memory_format());
    back = order.argsort().to(context.placement.device);
  }
  std::vector<Tensor> parts;
  for (int64_t i = 0; i < chunks; ++i)
    parts.push_back(embed_in_groups(key_, context.clips(ordered, n * i / chunks, n * (i + 1) / chunks),
                                    context.compute, true));
  const Tensor k = at::cat(parts);
  return back.defined() ? k.index_select(0, back) : k;
}

void MomentumBranch::commit(const StepContext& context, const std::vector<Tensor>& keys) {
  const double m = context.hyper["momentum"].as_number("hyper.momentum");
  momentum_update(key_.encoder_weights(), query_.encoder_weights(), m);
  momentum_update(key_.head_weights(), query_.head_weights(), m);
  for (const Tensor& k : keys) queue_->enqueue(context.collectives.all_gather(k));
}

std::vector<HyperKey> MomentumBranch::hyper_keys() const {
  return {{"momentum", 0, 1}, seed_key("shuffle", options_.norm_groups > 1)};
}

std::vector<std::string> momentum_keys() {
  std::vector<std::string> keys{"temperature", "queue", "normGroups", "decay", "decayOn", "ageUnit"};
  keys.insert(keys.end(), kHeadKeys.begin(), kHeadKeys.end());
  return keys;
}

MomentumOptions read_momentum(const Value& options, MomentumOptions o) {
  o.head = read_head(options, o.head);
  o.temperature = number_in(options, "temperature", o.temperature, 1e-3, 1e3);
  o.queue.capacity = int_in(options, "queue", o.queue.capacity, 1, kMostQueueKeys);
  o.queue.decay = number_in(options, "decay", o.queue.decay, 1e-6, 1);
  o.queue.decay_on = choice_in(options, "decayOn", {{"logit", DecayOn::kLogit}, {"weight", DecayOn::kWeight}},
                               o.queue.decay_on);
  o.queue.age_unit = choice_in(options, "ageUnit", {{"enqueue", AgeUnit::kEnqueue}, {"key", AgeUnit::kKey}},
                               o.queue.age_unit);
  o.norm_groups = int_in(options, "normGroups", o.norm_groups, 1, 1 << 16);
  return o;
}

}  // namespace vssl::engine
