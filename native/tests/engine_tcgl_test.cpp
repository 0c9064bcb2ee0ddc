// TCGL against its formulas in double precision: graph convolution, contrast of nodes, gates and order, each
// with gradients from finite differences; snippets and frame sets; corruption; whole steps.
#include "../engine/blocks/order_head.h"
#include "../engine/blocks/snippets.h"
#include "../engine/blocks/temporal_graphs.h"
#include "../kernels/reference.h"
#include "engine_tcgl_twin.h"

namespace vssl::engine::testing {
namespace {

using Orders = std::vector<std::vector<int64_t>>;

double worst(const Tensor& found, const std::vector<double>& expected) {
  const std::vector<double> got = values_of(found);
  check(got.size() == expected.size(), "as many values as expected");
  double error = 0, size = 1e-30;
  for (size_t i = 0; i < std::min(got.size(), expected.size()); ++i) {
    error = worse(error, std::fabs(got[i] - expected[i]));
    size = std::max(size, std::fabs(expected[i]));
  }
  return error / size;
}

// Central differences of a loss of vectors, with respect to vector `which`.
std::vector<double> differences(std::vector<Vector> inputs, size_t which,
                                const std::function<double(const std::vector<Vector>&)>& loss) {
  const double h = 1e-5;
  std::vector<double> out;
  for (size_t i = 0; i < inputs[which].size(); ++i) {
    const double x = inputs[which][i];
    inputs[which][i] = x + h;
    const double up = loss(inputs);
    inputs[which][i] = x - h;
    out.push_back((up - loss(inputs)) / (2 * h));
    inputs[which][i] = x;
  }
  return out;
}

// Checks a loss of some tensors and all its gradients against a function of plain vectors.
void check_loss(const Tensor& loss, const std::vector<Tensor>& inputs,
                const std::function<double(const std::vector<Vector>&)>& twin, const std::string& what) {
  std::vector<Vector> plain;
  for (const Tensor& x : inputs) plain.push_back(values_of(x));
  const double expected = twin(plain);
  check_at_most(std::fabs(loss.item<double>() - expected) / (std::fabs(expected) + 1e-30), 1e-5, what);
  loss.backward();
  for (size_t i = 0; i < inputs.size(); ++i)
    check_at_most(worst(inputs[i].grad(), differences(plain, i, twin)), 1e-4,
                  what + ": gradient " + std::to_string(i));
}

void test_orders() {
  const Orders three = permutations(3);
  check(three == Orders{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}},
        "orders of three are listed lexicographically");
  check(permutations(2).size() == 2 && permutations(4).size() == 24 && permutations(5).size() == 120,
        "n! orders of n");
  // The inter graph joins the places of snippets that follow each other in time.
  const Tensor adjacency = chain_adjacency(Orders{{0, 1, 2}, {1, 2, 0}});
  check(values_of(adjacency[0]) == Vector{0, 1, 0, 1, 0, 1, 0, 1, 0}, "a chain in order");
  check(values_of(adjacency[1]) == Vector{0, 1, 1, 1, 0, 0, 1, 0, 0}, "a chain over shuffled places");
  check(at::equal(chain_adjacency(4), chain_adjacency(Orders{{0, 1, 2, 3}})[0]), "one over frame sets");
  check(values_of(full_adjacency(3)) == Vector{0, 1, 1, 1, 0, 1, 1, 1, 0}, "all edges, no loops");
}

void test_graph_conv() {
  for (const int64_t layers : {1, 2}) {
    Weights weights{Placement{}};
    const GraphConv gcn(Scope(weights, 3) / "gcn", 5, 4, layers);
    const Tensor x = drawn({2, 3, 5}, 1).requires_grad_(), target = drawn({2, 3, 4}, 2);
    // 0 -> 1 and 1 -> 2 lost one direction: the degrees of both ends differ from those of the whole graph.
    const Tensor adjacency =
        at::tensor({0, 0, 1, 1, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0}, at::kFloat).view({2, 3, 3});
    std::vector<Tensor> inputs{x};
    for (const auto& e : weights.entries()) {
      if (e.tensor.dim() == 1) {
        const at::NoGradGuard no_grad;
        e.tensor.copy_(drawn(e.tensor.sizes(), 7));
      }
      inputs.push_back(e.tensor);
    }
    const Vector a = values_of(adjacency), t = values_of(target);
    const auto twin = [&](const std::vector<Vector>& in) {
      double sum = 0;
      for (int64_t g = 0; g < 2; ++g) {
        Vector y(in[0].begin() + g * 15, in[0].begin() + (g + 1) * 15);
        for (int64_t l = 0; l < layers; ++l) {
          if (l > 0)
            for (double& v : y) v = std::max(v, 0.0);
          y = graph_conv_twin(y, Vector(a.begin() + g * 9, a.begin() + (g + 1) * 9), in[1 + 2 * l],
                              in[2 + 2 * l], 3);
        }
        for (size_t i = 0; i < y.size(); ++i) sum += y[i] * t[g * 12 + i];
      }
      return sum;
    };
    check_loss((gcn.forward(x, normalized_adjacency(adjacency)) * target).sum(), inputs, twin,
               "graph convolution of " + std::to_string(layers) + " layers");
  }
}

// What the inter graph itself tells of the order, with snippets that are all alike.
void test_leak() {
  Weights weights{Placement{}};
  const GraphConv gcn(Scope(weights, 3) / "gcn", 5, 4, 1);
  const auto nodes_of = [&](const Tensor& x, const Tensor& adjacency) {
    return gcn.forward(x, normalized_adjacency(adjacency));
  };
  const Tensor same = drawn({1, 1, 5}, 1).expand({1, 3, 5}), other = drawn({1, 3, 5}, 2);
  const Tensor first = nodes_of(same, chain_adjacency(Orders{{0, 1, 2}}));
  check_at_most(error_of(nodes_of(same, chain_adjacency(Orders{{2, 1, 0}})), first), 1e-6,
                "a chain looks the same backwards");
  check(error_of(nodes_of(same, chain_adjacency(Orders{{1, 0, 2}})), first) > 0.01,
        "but tells which snippet is the middle one");
  const Tensor none = nodes_of(same, at::zeros({3, 3}));
  check_at_most(error_of(none[0][0], none[0][1]), 1e-6, "without edges nothing is told");
  const Tensor full = nodes_of(other, full_adjacency(3));
  check_at_most(error_of(full[0][0], full[0][1]) + error_of(full[0][0], full[0][2]), 1e-6,
                "all joined, different snippets have one and the same node");
}

void test_node_contrast() {
  for (const int64_t nodes : {1, 3, 4}) {
    const Tensor u = drawn({5, nodes, 6}, 1).requires_grad_(), w = drawn({5, nodes, 6}, 2).requires_grad_();
    const auto twin = [&](const std::vector<Vector>& in) {
      double sum = 0;
      for (int64_t g = 0; g < 5; ++g) {
        const auto part = [&](const Vector& x) {
          return Vector(x.begin() + g * nodes * 6, x.begin() + (g + 1) * nodes * 6);
        };
        sum += node_contrast_twin(part(in[0]), part(in[1]), nodes, 0.5);
      }
      return sum / 5;
    };
    const std::string what = "node contrast of " + std::to_string(nodes);
    // With the nodes of all graphs as negatives: one graph of them all.
    const Tensor a = u.detach().clone().requires_grad_(), b = w.detach().clone().requires_grad_();
    check_loss(
        node_contrast(a, b, 0.5, true), {a, b},
        [&](const std::vector<Vector>& in) { return node_contrast_twin(in[0], in[1], 5 * nodes, 0.5); },
        what + ", of the whole batch");
    const Tensor loss = node_contrast(u, w, 0.5);
    if (nodes > 1) {
      check_loss(loss, {u, w}, twin, what);
    } else {
      check_at_most(std::fabs(loss.item<double>()), 1e-6, what + " has no negatives: 0");
    }
    // Nodes that are all alike are told apart by chance: 2 V - 1 candidates.
    const Tensor same = drawn({6}, 3).expand({5, nodes, 6});
    check_at_most(std::fabs(node_contrast(same, same, 0.5).item<double>() - std::log(2.0 * nodes - 1)), 1e-5,
                  what + ": chance");
  }
}

void test_order_head() {
  for (const bool gates : {true, false}) {
    const OrderHeadOptions options{3, 4, 6, gates};
    OrderHead head(options, 3, Placement{});
    const Tensor x = drawn({5, 3, 4}, 1).requires_grad_(), kept = drawn({5, 4}, 2);
    const std::vector<int64_t> labels{0, 5, 3, 1, 3};
    std::vector<Tensor> inputs{x};
    for (const auto& e : head.weights().entries()) {
      if (e.tensor.dim() == 1) {
        const at::NoGradGuard no_grad;
        e.tensor.copy_(0.3 * drawn(e.tensor.sizes(), 7));
      }
      inputs.push_back(e.tensor);
    }
    check(inputs.size() == (gates ? 17u : 5u), "the head's tensors");
    const Vector factors = values_of(kept);
    const auto twin = [&](const std::vector<Vector>& in) {
      double sum = 0;
      for (int64_t n = 0; n < 5; ++n) {
        const Vector row(in[0].begin() + n * 12, in[0].begin() + (n + 1) * 12);
        const Vector factor(factors.begin() + n * 4, factors.begin() + (n + 1) * 4);
        sum += cross_entropy_twin(order_head_twin(row, factor, in, 3, 4, gates), labels[n]);
      }
      return sum / 5;
    };
    const Tensor loss =
        at::cross_entropy_loss(head.forward(x, kept), at::tensor(labels, at::TensorOptions(at::kLong)));
    check_loss(loss, inputs, twin, gates ? "order through gates" : "order of plain features");
  }
}

// Three views of four samples in a batch's layout, each without its temporal mean if asked for.
std::vector<Rows> snippet_views(int64_t places, int64_t frames, bool centred, int64_t n = 4,
                                int64_t side = 16) {
  std::vector<Rows> views;
  for (int64_t p = 0; p < places; ++p) {
    Tensor clips = drawn({n, frames, side, side, 3}, 40 + p).permute({0, 4, 1, 2, 3});
    if (centred) clips = clips - clips.mean({2}, true);
    views.push_back(
        {"snippet" + std::to_string(p + 1), clips.contiguous(at::MemoryFormat::ChannelsLast3d), {}});
  }
  return views;
}

void test_snippets() {
  const auto raw = snippet_views(3, 8, false), centred = snippet_views(3, 8, true);
  const std::vector<const Rows*> plain{&raw[0], &raw[1], &raw[2]},
      zero{&centred[0], &centred[1], &centred[2]};
  const Orders orders{{2, 0, 1}, {1, 0, 2}};
  const std::vector<int64_t> rows_of_batch{1, 2}, gap{0, 2};
  for (const int64_t repeat : {1, 2}) {
    for (const int64_t drop : {0, 1, 2}) {
      const int64_t sets = drop == 2 ? 2 : 4, frames = 8 / sets;
      const SnippetBatch batch(drop == 0 ? plain : zero, orders, rows_of_batch, {sets, drop, repeat});
      const Tensor snippets = batch.snippets(), cut = batch.frame_sets();
      double snippet_error = 0, set_error = 0;
      for (int64_t p = 0; p < 3; ++p)
        for (int64_t n = 0; n < 2; ++n) {
          const Tensor source = raw[orders[n][p]].data[rows_of_batch[n]];  // (3, T, H, W), never filtered
          snippet_error = worse(snippet_error, error_of(snippets[p * 2 + n], without_low(source, drop)));
          for (int64_t s = 0; s < sets; ++s) {
            const Tensor own = without_low(source.slice(1, s * frames, (s + 1) * frames), drop);
            set_error =
                worse(set_error, error_of(cut[(p * sets + s) * 2 + n], own.repeat_interleave(repeat, 1)));
          }
        }
      const std::string what = "dropping " + std::to_string(drop) + " coefficients";
      check_at_most(snippet_error, drop == 0 ? 0 : 1e-6, what + ": snippets in their places");
      check_at_most(set_error, drop == 0 ? 0 : 1e-6, what + ": frame sets by themselves");
    }
  }
  // What the kernel's own twin makes of a snippet, for a stronger filter.
  const SnippetBatch batch(zero, orders, rows_of_batch, {2, 3, 1});
  const Vector rows = values_of(centred[1].data[2].permute({1, 2, 3, 0}));  // at place 0 of sample 1
  Vector expected(rows.size());
  DctMotionOptions motion;
  motion.drop_low = 3;
  dct_motion_reference(expected.data(), rows.data(), 8, static_cast<int64_t>(rows.size()) / 8, motion);
  check_at_most(worst(batch.snippets()[1].permute({1, 2, 3, 0}), expected), 1e-6, "as the kernel's twin");
  const SnippetBatch apart(zero, orders, gap, {4, 1, 1});
  check(error_of(apart.snippets()[0], centred[2].data[0]) == 0 &&
            error_of(apart.snippets()[1], centred[1].data[2]) == 0,
        "rows that do not follow each other");
  const auto refused = [&](const SnippetOptions& options) {
    return code_of([&] { SnippetBatch b(zero, orders, gap, options); }) == "ERR_VSSL_INVALID_ARGUMENT";
  };
  check(refused({3, 1, 1}), "8 frames in 3 sets are refused");
  check(refused({8, 1, 1}), "a frame less its own mean is refused");
  check(refused({4, 2, 1}), "sets of which nothing is left are refused");
}

void test_corruption() {
  const CounterRandom random(9, "dropped edges");
  double edges = 0, features = 0;
  int asymmetric = 0;
  for (int64_t i = 0; i < 2000; ++i) {
    const GraphPlace place{i, i % 4, i % 2, 4};
    const Tensor kept = draw_kept_edges(random, place, 4, 0.2);
    edges += kept.mean().item<double>();
    asymmetric += !at::equal(kept, kept.t());
    features += draw_kept_features(random, place, 32, 0.1).mean().item<double>();
  }
  check_at_most(std::fabs(edges / 2000 - 0.8), 0.01, "an edge stays with probability 0.8");
  check_at_most(std::fabs(features / 2000 - 0.9), 0.01, "a feature with 0.9");
  check(asymmetric > 1500, "directions fall independently");
  std::vector<GraphPlace> places;
  for (int64_t sample : {0, 1})
    for (int64_t graph : {0, 3})
      for (int64_t view : {0, 1}) places.push_back({sample, graph, view, 4});
  for (size_t a = 0; a < places.size(); ++a) {
    check(at::equal(draw_kept_features(random, places[a], 64, 0.5),
                    draw_kept_features(random, places[a], 64, 0.5)),
          "the same draw for the same graph");
    for (size_t b = 0; b < a; ++b)
      check(!at::equal(draw_kept_features(random, places[a], 64, 0.5),
                       draw_kept_features(random, places[b], 64, 0.5)),
            "another for another graph");
  }
}

// With the seeds of the twin.
struct Fixture : MethodAlone {
  Fixture(const Object& changes, int64_t places) : MethodAlone("tcgl", changes) {
    views = snippet_views(places, 8, true);
    if (options.get_bool("separateViews", false))
      for (Rows again : snippet_views(places, 8, true)) {
        again.name = "again" + again.name.substr(std::string("snippet").size());
        // Another look at the same snippet: mirrored.
        again.data = again.data.flip({4}).contiguous(at::MemoryFormat::ChannelsLast3d);
        views.push_back(again);
      }
    hyper = Value(Object{{"orderSeed", 11}, {"corruptionSeed", 12}});
  }
};

void check_step(const std::string& what, const Object& changes, int64_t accumulate = 1) {
  TwinOptions twin = twin_options(changes);
  Fixture f(changes, twin.places);
  const auto encoder = create_model(f.model, 3, Placement{});
  std::map<std::string, Weights*> networks;
  for (const auto& network : f.method->networks()) networks[network.name] = network.weights;

  const auto expected =
      TcglTwin(*encoder, *networks["graphs"], *networks["order"], twin).step(f.views, accumulate);
  const auto graph_gradients = gradients_of(*networks["graphs"]);
  const auto order_gradients = gradients_of(*networks["order"]);
  const auto encoder_gradients = gradients_of(encoder->weights());
  for (const auto& [name, weights] : networks)
    for (const Tensor& p : parameters_of(*weights)) p.mutable_grad() = Tensor();

  const auto losses = f.step(accumulate);
  check(losses.size() == expected.size(), what + ": its named losses");
  for (const auto& [name, value] : expected)
    check_at_most(std::fabs(losses.count(name) ? losses.at(name) - value : 1e9), 1e-5, what + ": " + name);
  check_at_most(error_of(gradients_of(*networks["graphs"]), graph_gradients), 1e-5,
                what + ": graphs' gradient");
  check_at_most(error_of(gradients_of(*networks["order"]), order_gradients), 1e-5,
                what + ": order's gradient");
  check_at_most(error_of(gradients_of(*networks["encoder"]), encoder_gradients), 1e-4,
                what + ": encoder's gradient");
}

void test_steps() {
  check_step("defaults", {});
  check_step("whole first view", {{"corrupted", "second"}, {"edgeDraws", "batch"}});
  check_step("full inter graph", {{"adjacency", "full"}, {"edgeDrop", 0.5}, {"featureMask", 0.4}});
  check_step("no inter edges", {{"adjacency", "none"}});
  check_step("no gates, two layers", {{"gates", false}, {"gcnLayers", 2}, {"dropout", 0.5}});
  check_step("order alone", {{"intraWeight", 0}, {"interWeight", 0}, {"dropout", 0}});
  check_step("contrast alone", {{"orderWeight", 0}, {"intraWeight", 0.5}, {"interWeight", 2}});
  check_step("frame sets alone", {{"orderWeight", 0}, {"interWeight", 0}});
  check_step("two snippets, narrow", {{"snippets", 2}, {"sets", 2}, {"dim", 24}, {"temperature", 0.2}});
  check_step("four snippets", {{"snippets", 4}, {"sets", 1}, {"dropLow", 3}});
  check_step("pictures", {{"dropLow", 0}, {"sets", 8}});
  check_step("passes apart", {{"separatePasses", true}});
  check_step("repeated frames", {{"repeat", 2}});
  check_step("two chunks", {}, 2);
  check_step("negatives of the batch", {{"batchNegatives", true}});
  check_step("negatives of the batch in two chunks", {{"batchNegatives", true}}, 2);
  check_step("separate views", {{"separateViews", true}});
  check_step("separate views, negatives of the batch, passes apart",
             {{"separateViews", true}, {"batchNegatives", true}, {"separatePasses", true}});
}

// Nothing is learned of held-out samples: losses and gradients are those of the twin without them, and their
// order is told by the encoder in evaluation.
void test_held_out() {
  for (const int64_t accumulate : {1, 2}) {
    for (const std::set<int64_t>& held : {std::set<int64_t>{1}, std::set<int64_t>{0, 2}}) {
      Fixture f({{"heldOut", true}}, 3);
      const int64_t samples = f.views[0].data.size(0);
      const Tensor side = at::zeros({samples}, at::kLong);
      for (const int64_t i : held) side[i] = 1;
      f.side = {{"heldOut", side, {}}};
      const auto encoder = create_model(f.model, 3, Placement{});
      Weights &graphs = f.network("graphs"), &order = f.network("order");
      TcglTwin twin(*encoder, graphs, order, twin_options({}));
      const auto expected = twin.step(f.views, accumulate, held);
      const auto gradients = gradients_of(encoder->weights());
      for (Weights* weights : {&graphs, &order})
        for (const Tensor& p : parameters_of(*weights)) p.mutable_grad() = Tensor();
      const auto losses = f.step(accumulate);
      for (const auto& [name, value] : expected)
        check_at_most(std::fabs(losses.at(name) - value), 1e-5, "held out: " + name);
      check_at_most(error_of(gradients_of(f.encoder().weights()), gradients), 1e-4, "held out: gradient");
      if (accumulate == 1)
        check_at_most(std::fabs(losses.at("heldOutAccuracy") - twin.accuracy(f.encoder(), f.views, held)),
                      1e-6, "held out: how often the order is told right");
    }
  }
  Fixture f({{"heldOut", true}}, 3);
  f.side = {{"heldOut", at::ones({f.views[0].data.size(0)}, at::kLong), {}}};
  const auto losses = f.step(1);
  check(losses.at("loss") == 0 && losses.count("intra") && losses.count("heldOutAccuracy"),
        "of a batch of held-out samples nothing is learned, and all is named");
  f.side[0].data = at::zeros({f.views[0].data.size(0)}, at::kLong);
  check(f.step(1).count("heldOutAccuracy") == 0, "of a batch without any there is no accuracy");
}

void test_statistics() {
  const auto moved = [](bool sets) {
    Fixture f({{"setStatistics", sets}}, 3);
    f.step();
    for (const auto& entry : f.encoder().weights().entries())
      if (entry.name.find("num_batches_tracked") != std::string::npos) return entry.tensor.item<int64_t>();
    return int64_t{-1};
  };
  check(moved(false) == 1, "snippets alone move running statistics");
  check(moved(true) == 2, "frame sets too when asked for");
}

// A batch of the tests' moving patterns: three stretches of time of each.
video::Batch make_snippets(int64_t clips, int64_t frames, int64_t side, uint64_t seed) {
  const video::Batch whole = make_batch(clips, 3 * frames, side, seed, 1);
  video::Batch batch;
  batch.samples = clips;
  const int64_t values = frames * side * side * 3;
  for (int64_t p = 0; p < 3; ++p) {
    video::ViewBuffer view = make_view("snippet" + std::to_string(p + 1), clips, frames, side);
    for (int64_t n = 0; n < clips; ++n)
      std::memcpy(view.floats() + n * values, whole.views[0].floats() + (3 * n + p) * values, values * 4);
    batch.views.push_back(view);
  }
  return batch;
}

Value step_hyper(int64_t step, double lr) {
  return Value(Object{{"lr", lr}, {"orderSeed", 10 + step}, {"corruptionSeed", 50 + step}});
}

void test_resume() {
  for (const std::string precision : {"fp32", "bf16"}) {
    const Value spec = session_spec({{"method", "tcgl"}, {"precision", precision}});
    Session whole(spec), before(spec);
    for (int i = 0; i < 4; ++i)
      check(whole.step(make_snippets(4, 8, 16, i), step_hyper(i, 0.05)).finite, "a finite step");
    for (int i = 0; i < 2; ++i) before.step(make_snippets(4, 8, 16, i), step_hyper(i, 0.05));
    Session after(spec);
    after.import_state(before.export_state());
    for (int i = 2; i < 4; ++i) after.step(make_snippets(4, 8, 16, i), step_hyper(i, 0.05));
    check(same_bytes(after.export_state(), whole.export_state()), "tcgl resumes exactly in " + precision);
  }
}

void test_learning() {
  Session session(session_spec({{"method", "tcgl"}}));
  std::map<std::string, double> first, last;
  for (int i = 0; i < 60; ++i) {
    const auto losses = session.step(make_snippets(8, 8, 16, i % 4), step_hyper(i, 0.05)).losses;
    for (const auto& [name, value] : losses) {
      if (i < 6) first[name] += value / 6;
      if (i >= 54) last[name] += value / 6;
    }
  }
  for (const char* name : {"loss", "intra", "inter", "order"})
    check(last[name] < first[name],
          std::string(name) + " falls: " + std::to_string(first[name]) + " to " + std::to_string(last[name]));
  check(last["orderAccuracy"] > 0.3, "orders are told: " + std::to_string(last["orderAccuracy"]));
}

void test_specs() {
  const auto refused = [](const Object& options) {
    return code_of([&] {
             Session s(session_spec({{"method", "tcgl"}, {"options", options}}));
           }) == "ERR_VSSL_INVALID_ARGUMENT";
  };
  check(refused({{"snippets", 1}}), "one snippet has no order");
  check(refused({{"adjacency", "ring"}}), "an unknown graph is refused");
  check(refused({{"edgeDrop", -0.5}}), "a negative probability is refused");
  check(refused({{"intraWeight", 0}, {"interWeight", 0}, {"orderWeight", 0}}), "nothing to learn is refused");
  Session session(session_spec({{"method", "tcgl"}}));
  check(code_of([&] { session.step(make_batch(4, 8, 16, 0), step_hyper(0, 0.1)); }) ==
            "ERR_VSSL_INVALID_ARGUMENT",
        "a batch without snippets is refused");
}

}  // namespace
}  // namespace vssl::engine::testing

int main() {
  using namespace vssl::engine::testing;
  vssl::engine::set_threads(2);
  for (auto* test : {test_orders, test_graph_conv, test_leak, test_node_contrast, test_order_head,
                     test_snippets, test_corruption, test_steps, test_held_out, test_statistics, test_resume,
                     test_learning, test_specs}) {
    try {
      test();
    } catch (const std::exception& e) {
      vssl::check(false, std::string("threw: ") + e.what());
    }
  }
  return vssl::finish();
}
