#include "pair_step.h"

#include <algorithm>

#include "../errors.h"
#include "losses.h"

namespace vssl::engine {

Tensor nt_xent_gradient(StepContext& context, const Tensor& z, double temperature, double scale) {
  const Stopwatch watch(context.times.loss);
  const int64_t n = z.size(0) / 2, rank = context.collectives.rank();
  const Tensor own = z.detach();
  const Tensor first = context.collectives.all_gather(own.slice(0, 0, n));
  const Tensor second = context.collectives.all_gather(own.slice(0, n));
  const Tensor all = at::cat({first, second}).requires_grad_();
  const Tensor loss = nt_xent_loss(all, temperature) * scale;
  loss.backward();
  context.losses["loss"] += loss.item<double>();
  const int64_t total = first.size(0);
  return at::cat({all.grad().slice(0, rank * n, (rank + 1) * n),
                  all.grad().slice(0, total + rank * n, total + (rank + 1) * n)});
}

void step_pairs(StepContext& context, const EmbedPairs& embed, const LossGradient& gradient_of) {
  if (context.views.size() != 2)
    throw_invalid("a contrastive step needs 2 views, the batch has " + std::to_string(context.views.size()));
  const View &a = context.views[0], &b = context.views[1];
  if (a.clips.sizes() != b.clips.sizes())
    throw_invalid("both views must have the same shape, got " + shape_text(a.clips.sizes()) + " and " +
                  shape_text(b.clips.sizes()));
  const int64_t n = a.clips.size(0), chunks = std::min(context.accumulate, n);
  const auto begin = [&](int64_t i) { return n * i / chunks; };
  // Both views pass in one batch, so BatchNorm sees them together.
  const auto rows = [&](int64_t i, bool update_stats) {
    const Stopwatch watch(context.times.forward);
    return embed(
        at::cat({context.clips(a, begin(i), begin(i + 1)), context.clips(b, begin(i), begin(i + 1))}),
        update_stats);
  };

  if (chunks == 1) {
    const Tensor z = rows(0, true);
    const Tensor gradient = gradient_of(z.detach());
    const Stopwatch watch(context.times.backward);
    z.backward(gradient);
    return;
  }

  // All negatives of the batch with the memory of a chunk: embeddings of every chunk without a graph, the
  // loss and its gradient on all of them, then each chunk again with a graph, backward from its rows of that
  // gradient. The second pass computes the same embeddings, bit for bit. Only it moves BatchNorm's running
  // statistics.
  std::vector<Tensor> first, second;
  {
    const at::NoGradGuard no_grad;
    for (int64_t i = 0; i < chunks; ++i) {
      const Tensor z = rows(i, false);
      first.push_back(z.slice(0, 0, z.size(0) / 2));
      second.push_back(z.slice(0, z.size(0) / 2));
    }
  }
  const Tensor gradient = gradient_of(at::cat({at::cat(first), at::cat(second)}));
  for (int64_t i = 0; i < chunks; ++i) {
    const Tensor z = rows(i, true);
    const Stopwatch watch(context.times.backward);
    z.backward(at::cat(
        {gradient.slice(0, begin(i), begin(i + 1)), gradient.slice(0, n + begin(i), n + begin(i + 1))}));
  }
}

}  // namespace vssl::engine
