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
// Two options go beyond the paper. batchNegatives: nodes are told from those of all graphs of their kind in
// the chunk. separateViews: there is a second clip of each snippet, again1 .. againP, from which the second
// views are made. heldOut: nothing is learned of samples whose side array heldOut is 1; the part of them
// whose order is told right, in evaluation, is reported as heldOutAccuracy.
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
// dim (of graph nodes; 0: the encoder's, at most 512), separatePasses, setStatistics, batchNegatives,
// separateViews, heldOut, intraWeight, interWeight, orderWeight. Each step: orderSeed and corruptionSeed.
#include <algorithm>
#include <array>

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
  bool separate_passes, set_statistics, batch_negatives, separate_views, held_out;
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
  o.batch_negatives = options.flag("batchNegatives");
  o.separate_views = options.flag("separateViews");
  o.held_out = options.flag("heldOut");
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

// Samples of a chunk with what stands where in them.
struct Shuffled {
  std::vector<int64_t> rows;  // of the batch
  double share;               // of the samples of all processes that losses are a mean over
  int64_t first;              // number of the batch's first sample among those of all processes
  std::vector<int64_t> labels;
  std::vector<std::vector<int64_t>> orders;
  int64_t size() const { return static_cast<int64_t>(rows.size()); }
  int64_t number(int64_t i) const { return first + rows[i]; }
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
    for (const std::string& name : view_sets())
      for (int64_t p = 0; p < options_.places; ++p)
        all.views.push_back(clip_view(name + std::to_string(p + 1)));
    if (options_.held_out) all.side.push_back({"heldOut", at::kLong, {}});
    return all;
  }

  void step(StepContext& context) override {
    std::vector<Views> views;
    for (const std::string& name : view_sets()) views.push_back(views_of(context, name));
    const Tensor held = options_.held_out ? context.side("heldOut") : Tensor();
    const int64_t out = held.defined() ? held.sum().item<int64_t>() : 0;
    const double all_out = held.defined() ? sum_over_processes(context, out) : 0;
    if (out == context.samples) report_nothing(context);
    for (const Chunk& part : context.chunks()) {
      const Shuffled chunk = shuffle(context, part, held, 0, context.samples - out);
      if (chunk.size() > 0) learn(context, chunk, views);
      if (all_out > 0) tell_orders(context, shuffle(context, part, held, 1, out), views[0], all_out);
    }
  }

 private:
  using Views = std::vector<const Rows*>;

  // Names of the views, before their numbers.
  std::vector<std::string> view_sets() const {
    if (options_.separate_views) return {"snippet", "again"};
    return {"snippet"};
  }

  Views views_of(const StepContext& context, const std::string& name) const {
    Views views;
    for (int64_t p = 0; p < options_.places; ++p)
      views.push_back(&context.view(name + std::to_string(p + 1)));
    return views;
  }

  static double sum_over_processes(StepContext& context, int64_t count) {
    Tensor all = at::full({1}, static_cast<double>(count), at::TensorOptions(at::kDouble));
    if (context.collectives.size() > 1) context.collectives.all_reduce(all);
    return all.item<double>();
  }

  // Every process reports the same names, also one whose samples are all held out.
  void report_nothing(StepContext& context) const {
    const Tensor none = at::zeros({}, at::TensorOptions(context.placement.device));
    if (options_.inter > 0) context.report("inter", none);
    if (options_.order > 0) {
      context.report("orderAccuracy", none);
      context.report("order", none);
    }
    context.report("loss", none);
    if (options_.intra > 0) context.report("intra", none);
  }

  // Those samples of a chunk whose heldOut is `is`, of `count` in the batch.
  Shuffled shuffle(const StepContext& context, const Chunk& part, const Tensor& held, int64_t is,
                   int64_t count) const {
    const CounterRandom random(context.seed("orderSeed"), "snippet order");
    Shuffled chunk{{}, 0, context.first_sample(), {}, {}};
    for (int64_t row = part.begin; row < part.end; ++row) {
      if ((held.defined() ? held[row].item<int64_t>() : 0) != is) continue;
      const auto drawn = static_cast<int64_t>(random.uniform(chunk.first + row) * orders_.size());
      chunk.rows.push_back(row);
      chunk.labels.push_back(drawn);
      chunk.orders.push_back(orders_[drawn]);
    }
    chunk.share = static_cast<double>(chunk.size()) / static_cast<double>(count * context.collectives.size());
    return chunk;
  }

  void learn(StepContext& context, const Shuffled& chunk, const std::vector<Views>& views) const {
    std::vector<SnippetBatch> batches;
    for (const Views& these : views)
      batches.emplace_back(these, chunk.orders, chunk.rows, options_.cut, context.placement.device);
    learn_snippets(context, chunk, batches);
    if (options_.intra > 0) learn_frame_sets(context, chunk, batches);
  }

  // How often the order is told right of samples that nothing is learned of, `all` of them over all
  // processes.
  void tell_orders(StepContext& context, const Shuffled& chunk, const Views& views, double all) const {
    const at::NoGradGuard no_grad;
    Tensor right = at::zeros({}, at::TensorOptions(context.placement.device));
    if (chunk.size() > 0) {
      const SnippetBatch batch(views, chunk.orders, chunk.rows, options_.cut, context.placement.device);
      Pass pass;
      pass.compute = context.compute;
      const Tensor features = encoder_->embed(place(context, [&] { return batch.snippets(); }), pass);
      const Tensor logits = order_logits(chunk, nodes_of(features), {});
      right = logits.argmax(1).eq(labels_of(chunk, logits)).sum().to(at::kFloat);
    }
    context.report("heldOutAccuracy", right, 1 / all);
  }

  // Features (P n, D) of snippets by place -> (n, P, D).
  Tensor nodes_of(const Tensor& features) const {
    return features.view({options_.places, -1, features.size(1)}).transpose(0, 1);
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

  void learn_snippets(StepContext& context, const Shuffled& chunk,
                      const std::vector<SnippetBatch>& batches) const {
    const Tensor clips = place(context, [&] { return joined(batches, &SnippetBatch::snippets); });
    const auto draws = static_cast<int64_t>(batches.size());
    const Tensor features = embed(context, clips, draws * options_.places, true);
    learn_features(context, features, [&](const Tensor& all) {
      const std::vector<Tensor> views = all.chunk(draws);
      const Tensor nodes = nodes_of(views.front());
      Tensor total = at::zeros({}, all.options().requires_grad(false));
      if (options_.inter > 0) {
        const auto [u, w] = graph_views(context, chunk, {nodes, nodes_of(views.back())},
                                        inter_adjacency(chunk), graphs_->inter[0], 0);
        total = total + record(context, chunk, "inter", contrast(u, w)) * options_.inter;
      }
      if (options_.order > 0) total = total + order_loss(context, chunk, nodes) * options_.order;
      return total * chunk.share;
    });
  }

  void learn_frame_sets(StepContext& context, const Shuffled& chunk,
                        const std::vector<SnippetBatch>& batches) const {
    const Tensor clips = place(context, [&] { return joined(batches, &SnippetBatch::frame_sets); });
    const auto draws = static_cast<int64_t>(batches.size());
    const Tensor features =
        embed(context, clips, draws * options_.places * options_.cut.sets, options_.set_statistics);
    learn_features(context, features, [&](const Tensor& all) {
      const Tensor sets = all.view({draws, options_.places, options_.cut.sets, -1, all.size(1)});
      std::vector<Tensor> u, w;
      for (int64_t p = 0; p < options_.places; ++p) {
        const auto nodes = [&](int64_t draw) { return sets[draw][p].transpose(0, 1); };
        const auto pair = graph_views(context, chunk, {nodes(0), nodes(draws - 1)},
                                      chain_adjacency(options_.cut.sets), graphs_->intra[p], p + 1);
        u.push_back(pair.first);
        w.push_back(pair.second);
      }
      const Tensor loss = contrast(at::cat(u), at::cat(w));
      return record(context, chunk, "intra", loss) * (options_.intra * chunk.share);
    });
  }

  // Clips of the first draw of crops, then those of the second where there is one.
  static Tensor joined(const std::vector<SnippetBatch>& batches, Tensor (SnippetBatch::*clips)() const) {
    if (batches.size() == 1) return (batches[0].*clips)();
    return at::cat({(batches[0].*clips)(), (batches[1].*clips)()});
  }

  Tensor contrast(const Tensor& u, const Tensor& w) const {
    return node_contrast(u, w, options_.temperature, options_.batch_negatives);
  }

  // Adds the gradient of a loss of features: first the loss's own down to the features, then the encoder's.
  template <typename Loss>
  void learn_features(StepContext& context, const Tensor& features, const Loss& loss_of) const {
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

  // Projected nodes of both views of a graph of each sample, (n, V, dim), made of the nodes of each view.
  // Number 0 is the inter graph.
  std::pair<Tensor, Tensor> graph_views(const StepContext& context, const Shuffled& chunk,
                                        const std::array<Tensor, 2>& of, const Tensor& adjacency,
                                        const GraphConv& gcn, int64_t graph) const {
    const auto view = [&](int64_t v) {
      const Tensor& nodes = of[v];
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
    return {chunk.number(i), graph, view, options_.places + 1};
  }

  Tensor kept_edges(const StepContext& context, const Shuffled& chunk, int64_t nodes, int64_t graph,
                    int64_t view) const {
    const CounterRandom random = corruption(context, "dropped edges");
    const auto draw = [&](const GraphPlace& at) {
      return draw_kept_edges(random, at, nodes, options_.edge_drop);
    };
    if (options_.edges_by_batch && graph > 0) return draw({0, graph, view, options_.places + 1});
    std::vector<Tensor> kept;
    for (int64_t i = 0; i < chunk.size(); ++i) kept.push_back(draw(place_of(chunk, i, graph, view)));
    return at::stack(kept);
  }

  Tensor kept_features(const StepContext& context, const Shuffled& chunk, int64_t dim, int64_t graph,
                       int64_t view) const {
    const CounterRandom random = corruption(context, "masked features");
    std::vector<Tensor> kept;
    for (int64_t i = 0; i < chunk.size(); ++i)
      kept.push_back(draw_kept_features(random, place_of(chunk, i, graph, view), dim, options_.feature_mask));
    return at::stack(kept);
  }

  Tensor order_loss(StepContext& context, const Shuffled& chunk, const Tensor& nodes) const {
    const Tensor logits = order_logits(chunk, nodes, dropout(context, chunk));
    const Tensor labels = labels_of(chunk, logits);
    record(context, chunk, "orderAccuracy", logits.argmax(1).eq(labels).to(at::kFloat).mean());
    return record(context, chunk, "order", at::cross_entropy_loss(logits, labels));
  }

  Tensor order_logits(const Shuffled& chunk, const Tensor& nodes, const Tensor& kept) const {
    const Tensor whole = normalized_adjacency(inter_adjacency(chunk)).to(nodes.device());
    return order_->forward(graphs_->inter[0].forward(nodes, whole), kept);
  }

  static Tensor labels_of(const Shuffled& chunk, const Tensor& logits) {
    return at::tensor(chunk.labels, at::kLong).to(logits.device());
  }

  // (n, dim): 0 with probability `dropout`, else what keeps the mean.
  Tensor dropout(const StepContext& context, const Shuffled& chunk) const {
    if (options_.dropout == 0) return {};
    const CounterRandom random = corruption(context, "dropout");
    const Tensor kept = at::empty({chunk.size(), options_.dim});
    float* out = kept.mutable_data_ptr<float>();
    const auto whole = static_cast<float>(1 / (1 - options_.dropout));
    for (int64_t i = 0; i < chunk.size(); ++i)
      for (int64_t d = 0; d < options_.dim; ++d)
        *out++ = random.uniform(chunk.number(i) * options_.dim + d) < options_.dropout ? 0.0f : whole;
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
