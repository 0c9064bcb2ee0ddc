// MoCo v2 (He et al., "Momentum Contrast for Unsupervised Visual Representation Learning", CVPR 2020; Chen et
// al., arXiv 2003.04297). With q the query of a clip, k+ the momentum copy's key of the video's other clip
// and k_1..k_K the queue, all L2-normalised:
//
//   L = -log( exp(q k+ / tau) / (exp(q k+ / tau) + sum_j exp(q k_j / tau)) ), mean over the batch
//
// then theta_k <- m theta_k + (1 - m) theta_q, and the keys enter the queue. The copy moves after the
// optimiser's step, with the weights of which the next step's queries are made; the authors' code does it
// between the next step's queries and keys, which is the same.
//
// Permuting a batch on one device changes no BatchNorm statistics, so shuffling is done as the authors' small
// demonstration does: BatchNorm sees the batch in groups, and the keys' groups are drawn anew in each step.
//
// Options: temperature 0.2, queue 65536, decay 1, decayOn logit, ageUnit enqueue, symmetric false, normGroups
// 1, headLayers 1 (hidden ones, without BatchNorm), headHidden (the encoder's width), headDim 128. Each step:
// momentum, and shuffle, the seed of its permutation of keys.
#include "moco.h"

#include <algorithm>
#include <numeric>

#include "../errors.h"
#include "../random.h"
#include "methods.h"
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

Moco::Moco(const MethodPlan& plan, MocoOptions options)
    : options_(std::move(options)), query_(plan, options_.head), key_(plan, options_.head) {
  options_.queue.dim = options_.head.out;
  options_.queue.seed = plan.seed;
  queue_ = create_key_queue(options_.queue, plan.placement.device);
}

std::vector<Network> Moco::networks() {
  return {{"encoder", &query_.encoder_weights()},
          {"head", &query_.head_weights()},
          {"key_encoder", &key_.encoder_weights(), false},
          {"key_head", &key_.head_weights(), false}};
}

VideoNet& Moco::encoder(const std::string& name) {
  if (name == "query") return query_.encoder();
  if (name == "key") return key_.encoder();
  throw_invalid("unknown encoder \"" + name + "\"; this method has: query, key");
}

Tensor Moco::embed_in_groups(const Branch& branch, const Tensor& clips, at::ScalarType compute) const {
  Pass pass;
  pass.train = true;
  pass.update_stats = true;
  pass.compute = compute;
  const int64_t n = clips.size(0), groups = std::min(options_.norm_groups, n);
  std::vector<Tensor> parts;
  for (int64_t g = 0; g < groups; ++g)
    parts.push_back(branch.embed(clips.slice(0, n * g / groups, n * (g + 1) / groups), pass));
  return groups == 1 ? parts[0] : at::cat(parts);
}

// The momentum copy's embeddings of a view, (N, D), in the order of the batch.
Tensor Moco::keys(StepContext& context, const View& view) const {
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
    parts.push_back(
        embed_in_groups(key_, context.clips(ordered, n * i / chunks, n * (i + 1) / chunks), context.compute));
  const Tensor k = at::cat(parts);
  return back.defined() ? k.index_select(0, back) : k;
}

void Moco::learn_chunk(StepContext& context, const Tensor& clips, const Tensor& keys, double share) {
  Tensor q, loss;
  {
    const Stopwatch watch(context.times.forward);
    q = embed_queries(context, clips);
  }
  {
    const Stopwatch watch(context.times.loss);
    loss = info_nce(q, keys) * share;
  }
  context.losses["loss"] += loss.item<double>();
  const Stopwatch watch(context.times.backward);
  loss.backward();
}

// The loss of a query needs no other query, so chunks are exact but for BatchNorm's statistics.
void Moco::learn(StepContext& context, const View& view, const Tensor& keys) {
  const int64_t n = view.clips.size(0), chunks = std::min(context.accumulate, n);
  for (int64_t i = 0; i < chunks; ++i) {
    const int64_t begin = n * i / chunks, end = n * (i + 1) / chunks;
    const double share = static_cast<double>(end - begin) / static_cast<double>(n);
    learn_chunk(context, context.clips(view, begin, end), keys.slice(0, begin, end), share);
  }
}

void Moco::step(StepContext& context) {
  if (context.views.size() != 2)
    throw_invalid("this method's step needs 2 views, the batch has " + std::to_string(context.views.size()));
  const View &first = context.views[0], &second = context.views[1];
  if (first.clips.sizes() != second.clips.sizes())
    throw_invalid("both views must have the same shape, got " + shape_text(first.clips.sizes()) + " and " +
                  shape_text(second.clips.sizes()));
  context.losses["loss"] = 0;
  fresh_ = {keys(context, second)};
  if (options_.symmetric) fresh_.push_back(keys(context, first));
  learn(context, first, fresh_[0]);
  if (options_.symmetric) learn(context, second, fresh_[1]);
}

void Moco::commit(const StepContext& context) {
  const double m = number_in(context.hyper, "momentum", 0.999, 0, 1);
  momentum_update(key_.encoder_weights(), query_.encoder_weights(), m);
  momentum_update(key_.head_weights(), query_.head_weights(), m);
  for (const Tensor& keys : fresh_) queue_->enqueue(context.collectives.all_gather(keys));
  fresh_.clear();
}

MocoOptions read_moco(const Value& options, MocoOptions o, const std::vector<std::string>& extra) {
  std::vector<std::string> keys{"temperature", "queue",   "symmetric", "normGroups",
                                "decay",       "decayOn", "ageUnit"};
  keys.insert(keys.end(), kHeadKeys.begin(), kHeadKeys.end());
  keys.insert(keys.end(), extra.begin(), extra.end());
  check_keys(options, keys, "method");
  o.head = read_head(options, o.head);
  o.temperature = number_in(options, "temperature", o.temperature, 1e-3, 1e3);
  o.queue.capacity = int_in(options, "queue", o.queue.capacity, 1, kMostQueueKeys);
  o.queue.decay = number_in(options, "decay", o.queue.decay, 1e-6, 1);
  o.queue.decay_on = choice_in(options, "decayOn", {{"logit", DecayOn::kLogit}, {"weight", DecayOn::kWeight}},
                               o.queue.decay_on);
  o.queue.age_unit = choice_in(options, "ageUnit", {{"enqueue", AgeUnit::kEnqueue}, {"key", AgeUnit::kKey}},
                               o.queue.age_unit);
  o.symmetric = options.get_bool("symmetric", o.symmetric);
  o.norm_groups = int_in(options, "normGroups", o.norm_groups, 1, 1 << 16);
  return o;
}

std::unique_ptr<Method> create_moco(const MethodPlan& plan) {
  MocoOptions defaults;
  defaults.head.layers = 1;
  defaults.head.hidden_norm = false;
  return std::make_unique<Moco>(plan, read_moco(plan.options, defaults, {}));
}

}  // namespace vssl::engine
