// TCGL (Liu et al., "TCGL: Temporal Contrastive Graph for Self-Supervised Video Representation Learning",
// IEEE TIP 2022): P snippets of a video stand in shuffled places; each is cut into S frame sets. One encoder
// makes a feature of every snippet and of every frame set, each without its temporal mean (snippets come
// without it: data.input). With GCN_1..GCN_P of the places and GCN_0:
//
//   intra graphs  of place p: its S frame sets, a chain in time, GCN_p
//   inter graph   the P snippets, a chain in true time over the shuffled places, GCN_0
//   views         of each graph two, with some edges dropped and some features zeroed
//   L_intra, L_inter   node_contrast of the two views through g = Linear(ELU(Linear)), mean over graphs
//   L_order       cross-entropy of OrderHead, on GCN_0 of the whole inter graph, with the order's number
//   L = w_intra L_intra + w_inter L_inter + w_order L_order
//
// A part of weight 0 is not computed. Snippets pass the encoder in one batch, frame sets in another;
// `separatePasses` has a batch for each place and each set of a place, as the authors' code does, so that
// BatchNorm sees them apart. Running statistics are the snippets', whose form the evaluated clips have;
// `setStatistics` adds the frame sets'.
//
// Options: snippets 3, sets 4, dropLow 1, repeat 1, adjacency chain (none: snippets alone, which tells
// nothing of the order; full: all joined, whose nodes are then one and the same), corrupted both (second: the
// first view is whole, as in the authors' code), edgeDraws graph (batch: intra graphs of a place lose the
// same edges in all videos, as in the authors' code), edgeDrop 0.2, featureMask 0.1, temperature 0.5,
// gcnLayers 1 (of GCN_0), gates true, dropout 0.1, dim (of graph nodes; the encoder's, at most 512),
// separatePasses, setStatistics, intraWeight, interWeight, orderWeight 1. Each step: orderSeed and
// corruptionSeed.
#include <algorithm>

#include "../errors.h"
#include "../blocks/order_head.h"
#include "../runtime.h"
#include "../blocks/snippets.h"
#include "../blocks/temporal_graphs.h"

namespace vssl::engine {

namespace {

enum class InterEdges { kChain, kFull, kNone };

struct TcglOptions {
  int64_t places = 3;
  SnippetOptions cut;
  InterEdges edges = InterEdges::kChain;
  bool corrupt_both = true;
  bool edges_by_batch = false;
  double edge_drop = 0.2, feature_mask = 0.1;
  double temperature = 0.5;
  int64_t gcn_layers = 1;
  bool gates = true;
  double dropout = 0.1;
  int64_t dim = 0;
  bool separate_passes = false, set_statistics = false;
  double intra = 1, inter = 1, order = 1;
};

// GCNs and the projection of the contrast.
struct GraphNets {
  GraphNets(int64_t in, const TcglOptions& o, uint64_t seed, const Placement& placement)
      : weights(placement) {
    const Scope root(weights, seed);
    for (int64_t p = 0; p < o.places; ++p) intra.emplace_back(root / "intra" / p, in, o.dim, 1);
    inter.emplace_back(root / "inter", in, o.dim, o.gcn_layers);
    projection.emplace_back(root / "projection" / 0, o.dim, o.dim, 1.4142135623730951);
    projection.emplace_back(root / "projection" / 1, o.dim, o.dim, 1.0);
  }
  Tensor project(const Tensor& z) const {
    const Pass pass;
    return projection[1].forward(at::elu(projection[0].forward(z, pass)), pass);
  }

  Weights weights;
  std::vector<GraphConv> intra, inter;
  std::vector<Linear> projection;
};

// Samples [begin, begin + orders.size()) of a batch.
struct Chunk {
  int64_t begin;
  int64_t first;  // number of its first sample among those of all processes
  double share;   // of the batch
  std::vector<int64_t> labels;
  std::vector<std::vector<int64_t>> orders;
};

class Tcgl : public Method {
 public:
  Tcgl(const MethodPlan& plan, TcglOptions options)
      : options_(options),
        orders_(permutations(options.places)),
        encoder_(create_model(plan.model, plan.seed, plan.placement)) {
    if (options_.dim == 0) options_.dim = std::min<int64_t>(encoder_->dim(), 512);
    graphs_ = std::make_unique<GraphNets>(encoder_->dim(), options_, plan.seed, plan.placement);
    const OrderHeadOptions head{options_.places, options_.dim, static_cast<int64_t>(orders_.size()),
                                options_.gates};
    order_ = std::make_unique<OrderHead>(head, plan.seed, plan.placement);
  }

  std::vector<Network> networks() override {
    return {{"encoder", &encoder_->weights()}, {"graphs", &graphs_->weights}, {"order", &order_->weights()}};
  }
  std::vector<std::string> encoder_names() override { return {"encoder"}; }
  VideoNet& encoder(const std::string& name) override {
    if (name != "encoder") throw_invalid("unknown encoder \"" + name + "\"; this method has: encoder");
    return *encoder_;
  }

  std::vector<HyperKey> hyper_keys() const override {
    return {seed_key("orderSeed"), seed_key("corruptionSeed")};
  }

  void step(StepContext& context) override {
    std::vector<const View*> views;
    for (int64_t p = 0; p < options_.places; ++p)
      views.push_back(&context.view("snippet" + std::to_string(p + 1)));
    const int64_t n = views[0]->clips.size(0), chunks = std::min(context.accumulate, n);
    context.losses["loss"] = 0;
    for (int64_t i = 0; i < chunks; ++i) {
      const Chunk chunk = draw_chunk(context, n * i / chunks, n * (i + 1) / chunks, n);
      const SnippetBatch batch(views, chunk.orders, chunk.begin, options_.cut);
      learn_snippets(context, chunk, batch);
      if (options_.intra > 0) learn_frame_sets(context, chunk, batch);
    }
  }

 private:
  static CounterRandom stream(const StepContext& context, const std::string& seed, const char* name) {
    return CounterRandom(static_cast<uint64_t>(context.hyper[seed].as_number("hyper." + seed)), name);
  }

  Chunk draw_chunk(const StepContext& context, int64_t begin, int64_t end, int64_t n) const {
    const CounterRandom random = stream(context, "orderSeed", "snippet order");
    Chunk chunk{begin,
                context.collectives.rank() * n + begin,
                static_cast<double>(end - begin) / static_cast<double>(n),
                {},
                {}};
    for (int64_t i = 0; i < end - begin; ++i) {
      const auto drawn = static_cast<int64_t>(random.uniform(chunk.first + i) * orders_.size());
      chunk.labels.push_back(drawn);
      chunk.orders.push_back(orders_[drawn]);
    }
    return chunk;
  }

  // Features (groups * n, D) of clips, in one batch or a group at a time.
  Tensor embed(StepContext& context, const Tensor& clips, int64_t groups, bool update_stats) const {
    const Stopwatch watch(context.times.forward);
    Pass pass;
    pass.train = true;
    pass.update_stats = update_stats;
    pass.compute = context.compute;
    if (!options_.separate_passes) return encoder_->embed(clips, pass);
    std::vector<Tensor> parts;
    for (const Tensor& part : clips.chunk(groups)) parts.push_back(encoder_->embed(part, pass));
    return at::cat(parts);
  }

  // Clips on the device; how they are made is part of the cost of the method, not of its networks.
  template <typename Make>
  Tensor place(StepContext& context, const Make& make) const {
    const Stopwatch watch(context.times.loss);
    return place_clips(make(), context.placement, context.compute);
  }

  void learn_snippets(StepContext& context, const Chunk& chunk, const SnippetBatch& batch) const {
    const Tensor clips = place(context, [&] { return batch.snippets(); });
    const Tensor features = embed(context, clips, options_.places, true);
    learn(context, features, [&](const Tensor& all) {
      const Tensor nodes = all.view({options_.places, -1, all.size(1)}).transpose(0, 1);
      Tensor total = at::zeros({}, all.options().requires_grad(false));
      if (options_.inter > 0) {
        const auto [u, w] = graph_views(context, chunk, nodes, inter_adjacency(chunk), graphs_->inter[0], 0);
        total = total +
                record(context, chunk, "inter", node_contrast(u, w, options_.temperature)) * options_.inter;
      }
      if (options_.order > 0) total = total + order_loss(context, chunk, nodes) * options_.order;
      return total * chunk.share;
    });
  }

  void learn_frame_sets(StepContext& context, const Chunk& chunk, const SnippetBatch& batch) const {
    const Tensor clips = place(context, [&] { return batch.frame_sets(); });
    const Tensor features =
        embed(context, clips, options_.places * options_.cut.sets, options_.set_statistics);
    learn(context, features, [&](const Tensor& all) {
      const Tensor sets = all.view({options_.places, options_.cut.sets, -1, all.size(1)});
      std::vector<Tensor> u, w;
      for (int64_t p = 0; p < options_.places; ++p) {
        const auto pair = graph_views(context, chunk, sets[p].transpose(0, 1),
                                      chain_adjacency(options_.cut.sets), graphs_->intra[p], p + 1);
        u.push_back(pair.first);
        w.push_back(pair.second);
      }
      const Tensor loss = node_contrast(at::cat(u), at::cat(w), options_.temperature);
      return record(context, chunk, "intra", loss) * (options_.intra * chunk.share);
    });
  }

  // Adds the gradient of a loss of features: first the loss's own down to the features, then the encoder's.
  template <typename Loss>
  void learn(StepContext& context, const Tensor& features, const Loss& loss_of) const {
    const Tensor nodes = features.detach().requires_grad_();
    {
      const Stopwatch watch(context.times.loss);
      const Tensor loss = loss_of(nodes);
      context.losses["loss"] += loss.template item<double>();
      if (!loss.requires_grad()) return;
      loss.backward();
    }
    const Stopwatch watch(context.times.backward);
    features.backward(nodes.grad());
  }

  static Tensor record(StepContext& context, const Chunk& chunk, const char* name, const Tensor& value) {
    context.losses[name] += value.item<double>() * chunk.share;
    return value;
  }

  Tensor inter_adjacency(const Chunk& chunk) const {
    switch (options_.edges) {
      case InterEdges::kFull:
        return full_adjacency(options_.places);
      case InterEdges::kNone:
        return at::zeros({options_.places, options_.places});
      default:
        return chain_adjacency(chunk.orders);
    }
  }

  // Projected nodes of both views of a graph of each sample, (n, V, dim). Number 0 is the inter graph.
  std::pair<Tensor, Tensor> graph_views(const StepContext& context, const Chunk& chunk, const Tensor& nodes,
                                        const Tensor& adjacency, const GraphConv& gcn, int64_t graph) const {
    const auto view = [&](int64_t v) {
      if (v == 0 && !options_.corrupt_both)
        return gcn.forward(nodes, normalized_adjacency(adjacency).to(nodes.device()));
      const Tensor edges = adjacency * kept_edges(context, chunk, nodes.size(1), graph, v);
      const Tensor features = kept_features(context, chunk, nodes.size(2), graph, v).to(nodes.device());
      return gcn.forward(nodes * features, normalized_adjacency(edges).to(nodes.device()));
    };
    return {graphs_->project(view(0)), graphs_->project(view(1))};
  }

  GraphPlace place_of(const Chunk& chunk, int64_t i, int64_t graph, int64_t view) const {
    return {chunk.first + i, graph, view, options_.places + 1};
  }

  Tensor kept_edges(const StepContext& context, const Chunk& chunk, int64_t nodes, int64_t graph,
                    int64_t view) const {
    const CounterRandom random = stream(context, "corruptionSeed", "dropped edges");
    const auto draw = [&](const GraphPlace& at) {
      return draw_kept_edges(random, at, nodes, options_.edge_drop);
    };
    if (options_.edges_by_batch && graph > 0) return draw({0, graph, view, options_.places + 1});
    std::vector<Tensor> kept;
    for (size_t i = 0; i < chunk.labels.size(); ++i) kept.push_back(draw(place_of(chunk, i, graph, view)));
    return at::stack(kept);
  }

  Tensor kept_features(const StepContext& context, const Chunk& chunk, int64_t dim, int64_t graph,
                       int64_t view) const {
    const CounterRandom random = stream(context, "corruptionSeed", "masked features");
    std::vector<Tensor> kept;
    for (size_t i = 0; i < chunk.labels.size(); ++i)
      kept.push_back(draw_kept_features(random, place_of(chunk, i, graph, view), dim, options_.feature_mask));
    return at::stack(kept);
  }

  Tensor order_loss(StepContext& context, const Chunk& chunk, const Tensor& nodes) const {
    const Tensor whole = normalized_adjacency(inter_adjacency(chunk)).to(nodes.device());
    const Tensor logits = order_->forward(graphs_->inter[0].forward(nodes, whole), dropout(context, chunk));
    const Tensor labels = at::tensor(chunk.labels, at::kLong).to(nodes.device());
    record(context, chunk, "orderAccuracy", logits.argmax(1).eq(labels).to(at::kFloat).mean());
    return record(context, chunk, "order", at::cross_entropy_loss(logits, labels));
  }

  // (n, dim): 0 with probability `dropout`, else what keeps the mean.
  Tensor dropout(const StepContext& context, const Chunk& chunk) const {
    if (options_.dropout == 0) return {};
    const CounterRandom random = stream(context, "corruptionSeed", "dropout");
    const Tensor kept = at::empty({static_cast<int64_t>(chunk.labels.size()), options_.dim});
    float* out = kept.mutable_data_ptr<float>();
    const auto first = static_cast<uint64_t>(chunk.first * options_.dim);
    for (int64_t i = 0; i < kept.numel(); ++i)
      out[i] = random.uniform(first + i) < options_.dropout ? 0.0f
                                                            : static_cast<float>(1 / (1 - options_.dropout));
    return kept.to(context.placement.device);
  }

  TcglOptions options_;
  std::vector<std::vector<int64_t>> orders_;
  std::unique_ptr<VideoNet> encoder_;
  std::unique_ptr<GraphNets> graphs_;
  std::unique_ptr<OrderHead> order_;
};

TcglOptions read_tcgl(const Value& options) {
  check_keys(options,
             {"snippets", "sets", "dropLow", "repeat", "adjacency", "corrupted", "edgeDraws", "edgeDrop",
              "featureMask", "temperature", "gcnLayers", "gates", "dropout", "dim", "separatePasses",
              "setStatistics", "intraWeight", "interWeight", "orderWeight"},
             "method");
  TcglOptions o;
  o.places = int_in(options, "snippets", o.places, 2, 5);
  o.cut.sets = int_in(options, "sets", o.cut.sets, 1, kMostNodes);
  o.cut.drop_low = int_in(options, "dropLow", o.cut.drop_low, 0, 63);
  o.cut.repeat = int_in(options, "repeat", o.cut.repeat, 1, 64);
  o.edges = choice_in(
      options, "adjacency",
      {{"chain", InterEdges::kChain}, {"full", InterEdges::kFull}, {"none", InterEdges::kNone}}, o.edges);
  o.corrupt_both = choice_in(options, "corrupted", {{"both", true}, {"second", false}}, o.corrupt_both);
  o.edges_by_batch = choice_in(options, "edgeDraws", {{"graph", false}, {"batch", true}}, o.edges_by_batch);
  o.edge_drop = number_in(options, "edgeDrop", o.edge_drop, 0, 1);
  o.feature_mask = number_in(options, "featureMask", o.feature_mask, 0, 1);
  o.temperature = number_in(options, "temperature", o.temperature, 1e-3, 1e3);
  o.gcn_layers = int_in(options, "gcnLayers", o.gcn_layers, 1, 8);
  o.gates = options.get_bool("gates", o.gates);
  o.dropout = number_in(options, "dropout", o.dropout, 0, 0.99);
  o.dim = int_in(options, "dim", o.dim, 0, 1 << 16);
  o.separate_passes = options.get_bool("separatePasses", o.separate_passes);
  o.set_statistics = options.get_bool("setStatistics", o.set_statistics);
  o.intra = number_in(options, "intraWeight", o.intra, 0, 1e6);
  o.inter = number_in(options, "interWeight", o.inter, 0, 1e6);
  o.order = number_in(options, "orderWeight", o.order, 0, 1e6);
  if (o.intra + o.inter + o.order == 0)
    throw_invalid("all three losses have weight 0; give one of them a weight");
  return o;
}

}  // namespace

VSSL_METHOD(tcgl) {
  return std::make_unique<Tcgl>(plan, read_tcgl(plan.options));
}

}  // namespace vssl::engine
