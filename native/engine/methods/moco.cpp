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

#include "../errors.h"

namespace vssl::engine {

Moco::Moco(const MethodPlan& plan, MocoOptions options)
    : symmetric_(options.symmetric), branch_(plan, std::move(options)) {}

std::vector<Network> Moco::networks() {
  return {{"encoder", &branch_.query().encoder_weights()},
          {"head", &branch_.query().head_weights()},
          {"key_encoder", &branch_.key().encoder_weights(), false},
          {"key_head", &branch_.key().head_weights(), false}};
}

VideoNet& Moco::encoder(const std::string& name) {
  if (name == "query") return branch_.query().encoder();
  if (name == "key") return branch_.key().encoder();
  throw_invalid("unknown encoder \"" + name + "\"; this method has: query, key");
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
  fresh_ = {branch_.keys(context, second)};
  if (symmetric_) fresh_.push_back(branch_.keys(context, first));
  learn(context, first, fresh_[0]);
  if (symmetric_) learn(context, second, fresh_[1]);
}

void Moco::commit(const StepContext& context) {
  branch_.commit(context, fresh_);
  fresh_.clear();
}

MocoOptions read_moco(const Value& options, MocoOptions o, const std::vector<std::string>& extra) {
  std::vector<std::string> keys = momentum_keys();
  keys.push_back("symmetric");
  keys.insert(keys.end(), extra.begin(), extra.end());
  check_keys(options, keys, "method");
  static_cast<MomentumOptions&>(o) = read_momentum(options, o);
  o.symmetric = options.get_bool("symmetric", o.symmetric);
  return o;
}

VSSL_METHOD(moco) {
  MocoOptions defaults;
  defaults.head.layers = 1;
  defaults.head.hidden_norm = false;
  return std::make_unique<Moco>(plan, read_moco(plan.options, defaults, {}));
}

}  // namespace vssl::engine
