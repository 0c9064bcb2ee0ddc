#include "contrastive.h"

#include <cmath>

#include "../errors.h"
#include "../losses.h"

namespace vssl::engine {

ContrastiveOptions read_contrastive(const Value& options, const ContrastiveOptions& defaults) {
  std::vector<std::string> keys{"temperature", "lossScale"};
  keys.insert(keys.end(), kHeadKeys.begin(), kHeadKeys.end());
  check_keys(options, keys, "method");
  ContrastiveOptions o = defaults;
  o.temperature = number_in(options, "temperature", o.temperature, 1e-3, 1e3);
  o.loss_scale = number_in(options, "lossScale", o.loss_scale, 1e-6, 1e6);
  o.head = read_head(options, o.head);
  return o;
}

Contrastive::Contrastive(const MethodPlan& plan, ContrastiveOptions options)
    : options_(std::move(options)), branch_(plan, options_.head) {}

std::vector<Network> Contrastive::networks() {
  return {{"encoder", &branch_.encoder_weights()}, {"head", &branch_.head_weights()}};
}

VideoNet& Contrastive::encoder(const std::string& name) {
  if (name != "encoder") throw_invalid("unknown encoder \"" + name + "\"; this method has: encoder");
  return branch_.encoder();
}

// Rows [begin, end) of both views through encoder and head: (2n, D) in fp32, view 1 stacked on view 2. Both
// views pass in one batch, so BatchNorm sees them together.
Tensor Contrastive::embed(const StepContext& context, Chunk chunk, bool update_stats) const {
  Pass pass;
  pass.train = true;
  pass.update_stats = update_stats;
  pass.compute = context.compute;
  const Tensor clips = at::cat({context.clips(context.views[0], chunk.begin, chunk.end),
                                context.clips(context.views[1], chunk.begin, chunk.end)});
  return branch_.embed(clips, pass);
}

// Loss of all embeddings of this process (2n, D) against those of all processes; returns its gradient, (2n,
// D).
Tensor Contrastive::loss_gradient(StepContext& context, const Tensor& z) const {
  const Stopwatch watch(context.times.loss);
  const int64_t n = z.size(0) / 2, rank = context.collectives.rank();
  const Tensor first = context.collectives.all_gather(z.slice(0, 0, n));
  const Tensor second = context.collectives.all_gather(z.slice(0, n));
  const Tensor all = at::cat({first, second}).requires_grad_();
  const Tensor loss = nt_xent_loss(all, options_.temperature) * options_.loss_scale;
  loss.backward();
  context.losses["loss"] = loss.item<double>();
  const int64_t total = first.size(0);
  return at::cat({all.grad().slice(0, rank * n, (rank + 1) * n),
                  all.grad().slice(0, total + rank * n, total + (rank + 1) * n)});
}

void Contrastive::step(StepContext& context) {
  if (context.views.size() != 2)
    throw_invalid("a contrastive step needs 2 views, the batch has " + std::to_string(context.views.size()));
  const int64_t n = context.views[0].clips.size(0);
  if (context.views[0].clips.sizes() != context.views[1].clips.sizes())
    throw_invalid("both views must have the same shape, got " + shape_text(context.views[0].clips.sizes()) +
                  " and " + shape_text(context.views[1].clips.sizes()));
  const int64_t chunks = std::min(context.accumulate, n);
  const auto chunk = [&](int64_t i) { return Chunk{n * i / chunks, n * (i + 1) / chunks}; };

  if (chunks == 1) {
    Tensor z;
    {
      const Stopwatch watch(context.times.forward);
      z = embed(context, chunk(0), true);
    }
    const Tensor gradient = loss_gradient(context, z.detach());
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
    const Stopwatch watch(context.times.forward);
    const at::NoGradGuard no_grad;
    for (int64_t i = 0; i < chunks; ++i) {
      const Tensor z = embed(context, chunk(i), false);
      first.push_back(z.slice(0, 0, z.size(0) / 2));
      second.push_back(z.slice(0, z.size(0) / 2));
    }
  }
  const Tensor gradient = loss_gradient(context, at::cat({at::cat(first), at::cat(second)}));
  for (int64_t i = 0; i < chunks; ++i) {
    const Chunk c = chunk(i);
    Tensor z;
    {
      const Stopwatch watch(context.times.forward);
      z = embed(context, c, true);
    }
    const Stopwatch watch(context.times.backward);
    z.backward(at::cat({gradient.slice(0, c.begin, c.end), gradient.slice(0, n + c.begin, n + c.end)}));
  }
}

}  // namespace vssl::engine
