#include "pair_step.h"

#include <limits>

#include "../errors.h"
#include "contrast.h"
#include "losses.h"
#include "rows.h"

namespace vssl::engine {

Tensor nt_xent_gradient(StepContext& context, const Tensor& z, double temperature, double scale) {
  const Stopwatch watch(context.times.loss);
  const double before = context.collectives.exchanged().seconds;
  const int64_t n = z.size(0) / 2, rank = context.collectives.rank();
  const Tensor own = z.detach();
  const Tensor first = context.collectives.all_gather(own.slice(0, 0, n));
  const Tensor second = context.collectives.all_gather(own.slice(0, n));
  const Tensor all = at::cat({first, second}).requires_grad_();
  const Tensor loss = nt_xent_loss(all, temperature, context.collectives) * scale;
  loss.backward();
  context.report("loss", loss, 1.0 / static_cast<double>(context.collectives.size()));
  context.times.loss_exchange += context.collectives.exchanged().seconds - before;
  const int64_t total = first.size(0);
  return at::cat({all.grad().slice(0, rank * n, (rank + 1) * n),
                  all.grad().slice(0, total + rank * n, total + (rank + 1) * n)});
}

Tensor nt_xent_against_own(StepContext& context, const Tensor& z, double temperature, double scale) {
  const Stopwatch watch(context.times.loss);
  Collectives& ranks = context.collectives;
  const double before = ranks.exchanged().seconds;
  const int64_t n = z.size(0) / 3, rank = ranks.rank(), total = n * ranks.size();
  std::vector<Tensor> parts;
  for (const Tensor& part : z.detach().chunk(3)) parts.push_back(ranks.all_gather(part.contiguous()));
  const Tensor all = at::cat(parts).requires_grad_();
  const Tensor unit = unit_rows(all.slice(0, 0, 2 * total)), own = unit_rows(all.slice(0, 2 * total));
  const Tensor others = contrast_logits(all.slice(0, 0, 2 * total), all.slice(0, 0, 2 * total), temperature);
  const Tensor itself = at::eye(2 * total, others.options().dtype(at::kBool).requires_grad(false));
  const Tensor logits = at::cat({others.masked_fill(itself, -std::numeric_limits<double>::infinity()),
                                 (unit * at::cat({own, own})).sum(1, true) / temperature},
                                1);
  const Tensor rows = at::arange(2 * total, logits.options().dtype(at::kLong).requires_grad(false));
  const Tensor loss = contrast(logits, (rows + total).remainder(2 * total)).mean() * scale;
  loss.backward();
  context.report("loss", loss.detach(), 1.0 / static_cast<double>(ranks.size()));
  context.times.loss_exchange += ranks.exchanged().seconds - before;
  std::vector<Tensor> gradient;
  for (int64_t view = 0; view < 3; ++view)
    gradient.push_back(all.grad().slice(0, view * total + rank * n, view * total + (rank + 1) * n));
  return at::cat(gradient);
}

void step_pairs(StepContext& context, const EmbedPairs& embed, const LossGradient& gradient_of,
                const std::vector<std::string>& names) {
  std::vector<const Rows*> views;
  for (const std::string& name : names) {
    views.push_back(&context.view(name));
    check_same_shape(*views[0], *views.back());
  }
  const std::vector<Chunk> chunks = context.chunks();
  // All views pass in one batch, so BatchNorm sees them together.
  const auto rows = [&](const Chunk& chunk, bool update_stats) {
    const Stopwatch watch(context.times.forward);
    std::vector<Tensor> clips;
    for (const Rows* view : views) clips.push_back(context.clips(*view, chunk));
    return embed(at::cat(clips), update_stats);
  };

  if (chunks.size() == 1) {
    const Tensor z = rows(chunks[0], true);
    const Tensor gradient = gradient_of(z.detach());
    const Stopwatch watch(context.times.backward);
    z.backward(gradient);
    return;
  }

  // All negatives of the batch with the memory of a chunk: embeddings of every chunk without a graph, the
  // loss and its gradient on all of them, then each chunk again with a graph, backward from its rows of that
  // gradient. The second pass computes the same embeddings, bit for bit. Only it moves BatchNorm's running
  // statistics.
  std::vector<std::vector<Tensor>> of_views(views.size());
  for (const Chunk& chunk : chunks) {
    const at::NoGradGuard no_grad;
    const Tensor z = rows(chunk, false);
    for (size_t v = 0; v < views.size(); ++v)
      of_views[v].push_back(z.slice(0, v * chunk.size(), (v + 1) * chunk.size()));
  }
  const int64_t n = context.samples;
  std::vector<Tensor> whole;
  for (const auto& parts : of_views) whole.push_back(at::cat(parts));
  const Tensor gradient = gradient_of(at::cat(whole));
  for (const Chunk& chunk : chunks) {
    const Tensor z = rows(chunk, true);
    const Stopwatch watch(context.times.backward);
    std::vector<Tensor> parts;
    for (size_t v = 0; v < views.size(); ++v)
      parts.push_back(gradient.slice(0, v * n + chunk.begin, v * n + chunk.end));
    z.backward(at::cat(parts));
  }
}

}  // namespace vssl::engine
