#include "momentum_pair.h"

#include <algorithm>
#include <numeric>

#include "../device/devices.h"
#include "../random.h"
#include "../runtime.h"

namespace vssl::engine {

namespace {

bool is_plain(const Tensor& x) { return x.scalar_type() == at::kFloat && x.is_non_overlapping_and_dense(); }

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

void momentum_update(Weights& target, const Weights& source, double m) {
  const at::NoGradGuard no_grad;
  const auto& to = target.entries();
  const auto& from = source.entries();
  if (to.size() != from.size()) throw_invalid("a momentum copy needs networks of the same architecture");
  std::vector<EmaSpan> spans;            // one pass over all of them
  std::vector<Tensor> targets, sources;  // of layouts that differ
  for (size_t i = 0; i < to.size(); ++i) {
    const Tensor &t = to[i].tensor, &s = from[i].tensor;
    if (to[i].name != from[i].name || t.sizes() != s.sizes())
      throw_invalid("a momentum copy needs networks of the same architecture");
    if (!from[i].trainable) continue;
    if (is_plain(t) && is_plain(s) && t.strides() == s.strides()) {
      spans.push_back({t.mutable_data_ptr<float>(), s.const_data_ptr<float>(), t.numel()});
    } else {
      targets.push_back(t);
      sources.push_back(s.detach());
    }
  }
  const auto count = static_cast<int64_t>(spans.size());
  const at::Device device = target.placement().device;
  if (const DeviceKernels* kernels = kernels_of(device))
    kernels->ema_update(spans.data(), count, m, kernels->stream(device));
  else
    ema_update(spans.data(), count, m, at::get_num_threads());
  if (!targets.empty()) at::_foreach_lerp_(targets, sources, 1 - m);
  target.changed();
}

MomentumPair::MomentumPair(const MethodPlan& plan, const HeadOptions& head, const NormGroups& groups)
    : groups_(groups), query_(plan, head), key_(plan, head) {}

Tensor MomentumPair::embed_in_groups(const StepContext& context, const Branch& branch, const Tensor& clips,
                                     Pass pass) const {
  const int64_t n = clips.size(0), ranks = context.collectives.size();
  const int64_t groups = std::max<int64_t>(1, std::min(groups_.count, n * ranks) / ranks);
  if (groups_.count > 1) pass.ranks = nullptr;
  std::vector<Tensor> parts;
  for (int64_t g = 0; g < groups; ++g)
    parts.push_back(branch.embed(clips.slice(0, n * g / groups, n * (g + 1) / groups), pass));
  return groups == 1 ? parts[0] : at::cat(parts);
}

Tensor MomentumPair::keys(StepContext& context, const Rows& view) const {
  const Stopwatch watch(context.times.forward);
  const at::NoGradGuard no_grad;
  Rows ordered = view;
  Tensor back;
  Collectives& ranks = context.collectives;
  const int64_t n = context.samples, first = context.first_sample();
  if (groups_.count > 1 && groups_.shuffled && context.has("shuffle")) {
    const Tensor order = permutation(n * ranks.size(), context.seed("shuffle"));
    // As they lie in memory: (N, T, H, W, 3).
    const Tensor clips = ranks.all_gather(floats_of(view, 0, n).permute({0, 2, 3, 4, 1}));
    const Tensor own = order.slice(0, first, first + n).to(clips.device());
    ordered.data = clips.index_select(0, own).permute({0, 4, 1, 2, 3});
    ordered.packed = nullptr;
    back = order.argsort().slice(0, first, first + n).to(context.placement.device);
  }
  std::vector<Tensor> parts;
  for (const Chunk& chunk : context.chunks())
    parts.push_back(embed_in_groups(context, key_, context.clips(ordered, chunk), context.pass()));
  const Tensor k = at::cat(parts);
  return back.defined() ? ranks.all_gather(k).index_select(0, back) : k;
}

void MomentumPair::move_copy(const StepContext& context) const {
  const double m = context.number("momentum");
  momentum_update(key_.encoder_weights(), query_.encoder_weights(), m);
  momentum_update(key_.head_weights(), query_.head_weights(), m);
}

std::vector<Network> MomentumPair::networks(const std::string& prefix) const {
  return {{prefix + "encoder", &query_.encoder_weights()},
          {prefix + "head", &query_.head_weights()},
          {prefix + "key_encoder", &key_.encoder_weights(), Role::kMomentum, &query_.encoder_weights()},
          {prefix + "key_head", &key_.head_weights(), Role::kMomentum, &query_.head_weights()}};
}

std::vector<NumberSpec> MomentumPair::numbers() const {
  return {{"momentum", 0, 1}, seed_spec("shuffle", groups_.count > 1 && groups_.shuffled)};
}

}  // namespace vssl::engine
