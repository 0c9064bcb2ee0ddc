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
// Options: snippets, sets, dropLow, repeat, adjacency chain (none: snippets alone, which tells nothing of the
// order; full: all joined, whose nodes are then one and the same), corrupted both (second: the first view is
// whole, as in the authors' code), edgeDraws graph (batch: intra graphs of a place lose the same edges in all
// videos, as in the authors' code), edgeDrop, featureMask, temperature, gcnLayers (of GCN_0), gates, dropout,
// dim (of graph nodes; 0: the encoder's, at most 512), separatePasses, setStatistics, intraWeight,
// interWeight, orderWeight. Each step: orderSeed and corruptionSeed.
#include <algorithm>

#include "../blocks/order_head.h"
#include "../blocks/snippets.h"
#include "../blocks/temporal_graphs.h"
#include "../method.h"
#include "../runtime.h"

namespace vssl::engine {

namespace {

enum class InterEdges { kChain, kFull, kNone };

struct TcglOptions {
  int64_t places;
  SnippetOptions cut;
  InterEdges edges;
  bool corrupt_both, edges_by_batch;
  double edge_drop, feature_mask, temperature;
  int64_t gcn_layers;
  bool gates;
  double dropout;
  int64_t dim;
  bool separate_passes, set_statistics;
  double intra, inter, order;
};

TcglOptions read_tcgl(Options& options) {
  TcglOptions o;
  o.places = options.count("snippets", 2, kMostPlaces);
  o.cut.sets = options.count("sets", 1, kMostNodes);
  o.cut.drop_low = options.count("dropLow", 0);
  o.cut.repeat = options.count("repeat", 1);
  o.edges = options.choice<InterEdges>(
      "adjacency", {{"chain", InterEdges::kChain}, {"full", InterEdges::kFull}, {"none", InterEdges::kNone}});
  o.corrupt_both = options.choice<bool>("corrupted", {{"both", true}, {"second", false}});
  o.edges_by_batch = options.choice<bool>("edgeDraws", {{"graph", false}, {"batch", true}});
  o.edge_drop = options.number("edgeDrop", 0);
  o.feature_mask = options.number("featureMask", 0);
  o.temperature = options.number("temperature", 1e-6);
  o.gcn_layers = options.count("gcnLayers", 1);
  o.gates = options.flag("gates");
  o.dropout = options.number("dropout", 0);
  o.dim = options.count("dim", 0);
  o.separate_passes = options.flag("separatePasses");
  o.set_statistics = options.flag("setStatistics");
  o.intra = options.number("intraWeight", 0);
  o.inter = options.number("interWeight", 0);
  o.order = options.number("orderWeight", 0);
  if (o.intra + o.inter + o.order == 0)
    throw_invalid("all three losses have weight 0; give one of them a weight");
  return o;
}

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

// A chunk of the batch with what stands where in it.
struct Shuffled : Chunk {
  int64_t first;  // number of its first sample among those of all processes
  std::vector<int64_t> labels;
  std::vector<std::vector<int64_t>> orders;
};

class Tcgl : public Method {
 public:
  explicit Tcgl(const MethodPlan& plan)
      : options_(read_tcgl(plan.options)),
        orders_(permutations(options_.places)),
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
  std::vector<std::pair<std::string, VideoNet*>> encoders() override { return {{"encoder", encoder_.get()}}; }

  Inputs inputs() const override {
    Inputs all{{}, {}, {seed_spec("orderSeed"), seed_spec("corruptionSeed")}};
    for (int64_t p = 0; p < options_.places; ++p) all.views.push_back(clip_view(view_name(p)));
    return all;
  }

  void step(StepContext& context) override {
    std::vector<const Rows*> views;
    for (int64_t p = 0; p < options_.places; ++p) views.push_back(&context.view(view_name(p)));
    for (const Chunk& part : context.chunks()) {
      const Shuffled chunk = shuffle(context, part);
      const SnippetBatch batch(views, chunk.orders, chunk.begin, options_.cut, context.placement.device);
      learn_snippets(context, chunk, batch);
      if (options_.intra > 0) learn_frame_sets(context, chunk, batch);
    }
  }

 private:
  static std::string view_name(int64_t place) { return "snippet" + std::to_string(place + 1); }

  Shuffled shuffle(const StepContext& context, const Chunk& part) const {
    const CounterRandom random(context.seed("orderSeed"), "snippet order");
    Shuffled chunk{part, context.first_sample() + part.begin, {}, {}};
    for (int64_t i = 0; i < part.size(); ++i) {
      const auto drawn = static_cast<int64_t>(random.uniform(chunk.first + i) * orders_.size());
      chunk.labels.push_back(drawn);
      chunk.orders.push_back(orders_[drawn]);
    }
    return chunk;
  }

  // Features (groups * n, D) of clips, in one batch or a group at a time.
  Tensor embed(StepContext& context, const Tensor& clips, int64_t groups, bool update_stats) const {
    const Stopwatch watch(context.times.forward);
    const Pass pass = context.pass(update_stats);
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

  void learn_snippets(StepContext& context, const Shuffled& chunk, const SnippetBatch& batch) const {
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

  void learn_frame_sets(StepContext& context, const Shuffled& chunk, const SnippetBatch& batch) const {
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
      context.report("loss", loss);
      if (!loss.requires_grad()) return;
      loss.backward();
    }
    const Stopwatch watch(context.times.backward);
    features.backward(nodes.grad());
  }

  static Tensor record(StepContext& context, const Shuffled& chunk, const char* name, const Tensor& value) {
    context.report(name, value, chunk.share);
    return value;
  }

  Tensor inter_adjacency(const Shuffled& chunk) const {
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
  std::pair<Tensor, Tensor> graph_views(const StepContext& context, const Shuffled& chunk,
                                        const Tensor& nodes, const Tensor& adjacency, const GraphConv& gcn,
                                        int64_t graph) const {
    const auto view = [&](int64_t v) {
      if (v == 0 && !options_.corrupt_both)
        return gcn.forward(nodes, normalized_adjacency(adjacency).to(nodes.device()));
      const Tensor edges = adjacency * kept_edges(context, chunk, nodes.size(1), graph, v);
      const Tensor features = kept_features(context, chunk, nodes.size(2), graph, v).to(nodes.device());
      return gcn.forward(nodes * features, normalized_adjacency(edges).to(nodes.device()));
    };
    return {graphs_->project(view(0)), graphs_->project(view(1))};
  }

  static CounterRandom corruption(const StepContext& context, const char* name) {
    return CounterRandom(context.seed("corruptionSeed"), name);
  }

  GraphPlace place_of(const Shuffled& chunk, int64_t i, int64_t graph, int64_t view) const {
    return {chunk.first + i, graph, view, options_.places + 1};
  }

  Tensor kept_edges(const StepContext& context, const Shuffled& chunk, int64_t nodes, int64_t graph,
                    int64_t view) const {
    const CounterRandom random = corruption(context, "dropped edges");
    const auto draw = [&](const GraphPlace& at) {
      return draw_kept_edges(random, at, nodes, options_.edge_drop);
    };
    if (options_.edges_by_batch && graph > 0) return draw({0, graph, view, options_.places + 1});
    std::vector<Tensor> kept;
    for (size_t i = 0; i < chunk.labels.size(); ++i) kept.push_back(draw(place_of(chunk, i, graph, view)));
    return at::stack(kept);
  }

  Tensor kept_features(const StepContext& context, const Shuffled& chunk, int64_t dim, int64_t graph,
                       int64_t view) const {
    const CounterRandom random = corruption(context, "masked features");
    std::vector<Tensor> kept;
    for (size_t i = 0; i < chunk.labels.size(); ++i)
      kept.push_back(draw_kept_features(random, place_of(chunk, i, graph, view), dim, options_.feature_mask));
    return at::stack(kept);
  }

  Tensor order_loss(StepContext& context, const Shuffled& chunk, const Tensor& nodes) const {
    const Tensor whole = normalized_adjacency(inter_adjacency(chunk)).to(nodes.device());
    const Tensor logits = order_->forward(graphs_->inter[0].forward(nodes, whole), dropout(context, chunk));
    const Tensor labels = at::tensor(chunk.labels, at::kLong).to(nodes.device());
    record(context, chunk, "orderAccuracy", logits.argmax(1).eq(labels).to(at::kFloat).mean());
    return record(context, chunk, "order", at::cross_entropy_loss(logits, labels));
  }

  // (n, dim): 0 with probability `dropout`, else what keeps the mean.
  Tensor dropout(const StepContext& context, const Shuffled& chunk) const {
    if (options_.dropout == 0) return {};
    const CounterRandom random = corruption(context, "dropout");
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

}  // namespace

VSSL_METHOD(tcgl) { return std::make_unique<Tcgl>(plan); }

}  // namespace vssl::engine
