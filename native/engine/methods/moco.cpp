// MoCo v2 (He et al., "Momentum Contrast for Unsupervised Visual Representation Learning", CVPR 2020; Chen et
// al., arXiv 2003.04297). With q the query of a clip, k+ the momentum copy's key of the video's other clip and
// k_1..k_K the queue, all L2-normalised:
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
// Options: temperature 0.2, queue 65536, symmetric false, normGroups 1, headLayers 1 (hidden ones, without
// BatchNorm), headHidden (the encoder's width), headDim 128. Each step: momentum, and shuffle, the seed of its
// permutation of keys.
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
    : options_(std::move(options)),
      query_(plan, options_.head),
      key_(plan, options_.head),
      queue_(options_.queue, options_.head.out, plan.seed, plan.placement.device) {}

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
    const Tensor order = permutation(n, static_cast<uint64_t>(context.hyper["shuffle"].as_number("hyper.shuffle")));
    ordered.clips = view.clips.index_select(0, order).contiguous(view.clips.suggest_memory_format());
    back = order.argsort().to(context.placement.device);
  }
  std::vector<Tensor> parts;
  for (int64_t i = 0; i < chunks; ++i)
    parts.push_back(embed_in_groups(key_, context.clips(ordered, n * i / chunks, n * (i + 1) / chunks),
                                    context.compute));
  const Tensor k = at::cat(parts);
  return back.defined() ? k.index_select(0, back) : k;
}

// Adds the gradient of the queries of `view` against their keys and the queue. The loss of a query needs no
// other query, so chunks are exact but for BatchNorm's statistics.
void Moco::learn(StepContext& context, const View& view, const Tensor& keys) {
  const int64_t n = view.clips.size(0), chunks = std::min(context.accumulate, n);
  for (int64_t i = 0; i < chunks; ++i) {
    const int64_t begin = n * i / chunks, end = n * (i + 1) / chunks;
    Tensor q, loss;
    {
      const Stopwatch watch(context.times.forward);
      q = embed_in_groups(query_, context.clips(view, begin, end), context.compute);
    }
    {
      const Stopwatch watch(context.times.loss);
      const double share = static_cast<double>(end - begin) / static_cast<double>(n);
      loss = queue_.info_nce_loss(q, keys.slice(0, begin, end), options_.temperature) * share;
    }
    context.losses["loss"] += loss.item<double>();
    const Stopwatch watch(context.times.backward);
    loss.backward();
  }
}

void Moco::step(StepContext& context) {
  const View& first = context.view("view1");
  const View& second = context.view("view2");
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
  for (const Tensor& keys : fresh_) queue_.enqueue(context.collectives.all_gather(keys));
  fresh_.clear();
}

std::unique_ptr<Method> create_moco(const MethodPlan& plan) {
  std::vector<std::string> keys{"temperature", "queue", "symmetric", "normGroups"};
  keys.insert(keys.end(), kHeadKeys.begin(), kHeadKeys.end());
  check_keys(plan.options, keys, "method");
  MocoOptions o;
  o.head.layers = 1;
  o.head.hidden_norm = false;
  o.head = read_head(plan.options, o.head);
  o.temperature = number_in(plan.options, "temperature", o.temperature, 1e-3, 1e3);
  o.queue.capacity = int_in(plan.options, "queue", 65536, 1, int64_t{1} << 24);
  o.symmetric = plan.options.get_bool("symmetric", false);
  o.norm_groups = int_in(plan.options, "normGroups", 1, 1, 1 << 16);
  return std::make_unique<Moco>(plan, std::move(o));
}

}  // namespace vssl::engine
