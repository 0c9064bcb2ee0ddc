#include "pair_step.h"

#include "../errors.h"
#include "losses.h"

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

void step_pairs(StepContext& context, const EmbedPairs& embed, const LossGradient& gradient_of) {
  const Rows &a = context.view("view1"), &b = context.view("view2");
  check_same_shape(a, b);
  const std::vector<Chunk> chunks = context.chunks();
  // Both views pass in one batch, so BatchNorm sees them together.
  const auto rows = [&](const Chunk& chunk, bool update_stats) {
    const Stopwatch watch(context.times.forward);
    return embed(at::cat({context.clips(a, chunk), context.clips(b, chunk)}), update_stats);
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
  std::vector<Tensor> first, second;
  for (const Chunk& chunk : chunks) {
    const at::NoGradGuard no_grad;
    const Tensor z = rows(chunk, false);
    first.push_back(z.slice(0, 0, chunk.size()));
    second.push_back(z.slice(0, chunk.size()));
  }
  const int64_t n = context.samples;
  const Tensor gradient = gradient_of(at::cat({at::cat(first), at::cat(second)}));
  for (const Chunk& chunk : chunks) {
    const Tensor z = rows(chunk, true);
    const Stopwatch watch(context.times.backward);
    z.backward(at::cat(
        {gradient.slice(0, chunk.begin, chunk.end), gradient.slice(0, n + chunk.begin, n + chunk.end)}));
  }
}

}  // namespace vssl::engine
