// What learns labels, against its formulas in double precision: logits, loss and gradients of both heads,
// rates by depth, what stays still, exact resume; and the feature map in cells of a grid.
#include "../engine/blocks/classifier.h"
#include "engine_methods.h"

namespace vssl::engine::testing {
namespace {

constexpr int64_t kClips = 6, kClasses = 4;

Tensor double_of(const Weights& weights, const std::string& name) {
  for (const auto& entry : weights.entries())
    if (entry.name == name) return entry.tensor.detach().to(at::kDouble).clone().requires_grad_();
  throw Error("ERR_VSSL_TEST", "no tensor " + name);
}

// mean over rows of  - sum_c t_c log p_c,  t = (1 - s) one-hot + s / classes
Tensor slow_loss(const Tensor& logits, const Tensor& labels, double smoothing) {
  Tensor total = at::zeros({}, at::kDouble);
  for (int64_t i = 0; i < logits.size(0); ++i) {
    const Tensor log_p = logits[i] - at::logsumexp(logits[i], {0});
    total = total - log_p[labels[i].item<int64_t>()] * (1 - smoothing) - log_p.mean() * smoothing;
  }
  return total / static_cast<double>(logits.size(0));
}

double relative(const Tensor& found, const Tensor& truth) {
  const Tensor difference = found.detach().to(at::kDouble) - truth.detach();
  return (difference.norm() / (truth.detach().norm() + 1e-30)).item<double>();
}

// A method with its clips and labels, and an encoder of the same weights beside it.
struct Labelled : MethodAlone {
  Labelled(const std::string& name, const Object& options) : MethodAlone(name, options) {
    views = {{"clip", drawn_clips({kClips, 3, 4, 16, 16}, 5), {}}};
    labels = at::tensor(std::vector<int64_t>{0, 3, 1, 2, 3, 0}, at::kLong);
    side = {{"label", labels, {}}};
    hyper = Value(Object{{"dropoutSeed", 11}});
    twin = create_model(model, seed, Placement{});
    twin->weights().load(network("encoder").save());
  }
  VideoNet& readout() const { return *method->readouts()[0].second; }
  Tensor labels;
  std::unique_ptr<VideoNet> twin;
};

void test_linear() {
  for (const double smoothing : {0.0, 0.1}) {
    Labelled m("finetune", {{"smoothing", smoothing}});
    Pass pass;
    pass.train = true;
    const Tensor features = m.twin->embed(m.views[0].data, pass);
    const Tensor f = features.detach().to(at::kDouble).requires_grad_();
    const Tensor w = double_of(m.network("head"), "output.weight"),
                 b = double_of(m.network("head"), "output.bias");
    const Tensor loss = slow_loss(f.mm(w.t()) + b, m.labels, smoothing);
    loss.backward();
    features.backward(f.grad().to(at::kFloat));
    const auto losses = m.step();
    check(std::fabs(losses.at("loss") - loss.item<double>()) < 1e-5, "the loss is that of its formula");
    const auto head = parameters_of(m.network("head"));
    check_at_most(relative(head[0].grad(), w.grad()), 1e-4, "gradient of the output's weights");
    check_at_most(relative(head[1].grad(), b.grad()), 1e-4, "gradient of the output's biases");
    const auto found = parameters_of(m.network("encoder")), expected = parameters_of(m.twin->weights());
    double worst = 0;
    for (size_t i = 0; i < found.size(); ++i)
      worst = worse(worst, relative(found[i].grad(), expected[i].grad().to(at::kDouble)));
    check_at_most(worst, 1e-3, "gradients of the encoder");
  }
}

void test_dropout() {
  Labelled m("finetune", {{"dropout", 0.5}});
  const double once = m.step().at("loss"), again = m.step().at("loss");
  check(once == again, "the same seed drops the same features");
  m.hyper = Value(Object{{"dropoutSeed", 12}});
  check(m.step().at("loss") != once, "another seed drops others");
  check_throws("ERR_VSSL_INVALID_ARGUMENT", "below 1", [] { Labelled("finetune", {{"dropout", 1}}); });
}

// softmax over all places, head by head, of one query.
Tensor slow_attention(const Tensor& x, const Weights& head, int64_t heads) {
  const auto of = [&](const std::string& name) { return double_of(head, "block.0." + name).detach(); };
  const auto norm = [&](const Tensor& t, const std::string& name) {
    const Tensor mean = t.mean({-1}, true), centred = t - mean;
    return centred / at::sqrt(centred.square().mean({-1}, true) + 1e-5) * of(name + ".weight") +
           of(name + ".bias");
  };
  const int64_t width = x.size(2), each = width / heads;
  const Tensor qkv = at::matmul(norm(x, "norm1"), of("qkv.weight").t()) + of("qkv.bias");
  std::vector<Tensor> mixed;
  for (int64_t h = 0; h < heads; ++h) {
    const auto part = [&](int64_t which) {
      return qkv.slice(2, which * width + h * each, which * width + (h + 1) * each);
    };
    const Tensor scores = at::matmul(part(0).slice(1, 0, 1), part(1).transpose(1, 2)) / std::sqrt(each);
    mixed.push_back(at::matmul(at::softmax(scores, -1), part(2)));
  }
  const Tensor asked = at::matmul(at::cat(mixed, 2), of("mix.weight").t()) + of("mix.bias");
  const Tensor y = x.slice(1, 0, 1) + asked;
  const Tensor up = at::matmul(norm(y, "norm2"), of("up.weight").t()) + of("up.bias");
  const Tensor gelu = 0.5 * up * (1 + at::erf(up / std::sqrt(2.0)));
  return y + at::matmul(gelu, of("down.weight").t()) + of("down.bias");
}

void test_attention() {
  Labelled m("attentive", {{"heads", 4}, {"width", 24}, {"smoothing", 0.1}});
  const Weights& head = m.network("head");
  const Tensor map = m.twin->features(m.views[0].data, Pass{});
  const Tensor f = map.detach().to(at::kDouble).flatten(2).transpose(1, 2);
  const auto of = [&](const std::string& name) { return double_of(head, name).detach(); };
  const Tensor places = at::matmul(f, of("input.weight").t()) + of("input.bias");
  const Tensor x =
      slow_attention(at::cat({of("query").expand({kClips, 1, 24}), places}, 1), head, 4).select(1, 0);
  const Tensor centred = x - x.mean({-1}, true);
  const Tensor normed =
      centred / at::sqrt(centred.square().mean({-1}, true) + 1e-5) * of("norm.weight") + of("norm.bias");
  const Tensor logits = normed.mm(of("output.weight").t()) + of("output.bias");
  check_at_most(relative(m.readout().embed(m.views[0].data, Pass{}), logits), 1e-4, "logits of the query");
  const auto before = m.network("encoder").save();
  const double loss = m.step().at("loss");
  check(std::fabs(loss - slow_loss(logits, m.labels, 0.1).item<double>()) < 1e-5, "the loss of the query");
  check(same_bytes(before, m.network("encoder").save()), "the encoder and its statistics stay");
  for (const Tensor& p : parameters_of(m.network("encoder")))
    check(!p.grad().defined(), "the encoder has no gradients");
  // Finite differences of the loss over some entries of every tensor of the head.
  const auto parameters = parameters_of(head);
  std::vector<Tensor> gradients;  // further steps add to them
  for (const Tensor& p : parameters) gradients.push_back(p.grad().clone());
  double worst = 0;
  for (size_t k = 0; k < parameters.size(); ++k) {
    const Tensor &p = parameters[k], &gradient = gradients[k];
    const double scale = gradient.abs().max().item<double>() + 1e-4;
    for (const int64_t i : {int64_t{0}, p.numel() / 2}) {
      const Tensor entry = p.detach().view({-1})[i];
      const auto loss_at = [&](double by) {
        entry.add_(by);
        const double value = m.step().at("loss");
        entry.add_(-by);
        return value;
      };
      const double slope = (loss_at(2e-2) - loss_at(-2e-2)) / 4e-2;
      worst = worse(worst, std::fabs(slope - gradient.view({-1})[i].item<double>()) / scale);
    }
  }
  check_at_most(worst, 2e-2, "gradients of the head against differences");
}

Value finetune_spec(const Object& options, const Object& more = {}) {
  return session_spec(merged({{"method", "finetune"},
                              {"optimizer", Object{{"name", "sgd"}, {"momentum", 0}, {"weightDecay", 0}}},
                              {"options", options}},
                             more));
}

Value step_of(double lr) { return Value(Object{{"lr", lr}, {"dropoutSeed", 3}}); }

// How far each tensor of the model moves in one step.
std::map<std::string, Tensor> moves(const Object& options) {
  Session session(finetune_spec(options));
  const auto before = session.export_state();
  session.step(labelled_batch(kClips, 4, 16, 1), step_of(0.5));
  const auto after = session.export_state();
  std::map<std::string, Tensor> out;
  for (size_t i = 0; i < before.size(); ++i)
    if (before[i].name.rfind("model/", 0) == 0 && before[i].name.find("running") == std::string::npos &&
        before[i].name.find("num_batches") == std::string::npos)
      out[before[i].name] = (from_named(after[i]) - from_named(before[i])).to(at::kDouble);
  return out;
}

void test_rates() {
  const auto even = moves({}), falling = moves({{"encoderRate", 0.5}, {"depthDecay", 0.25}});
  double worst = 0;
  for (const auto& [name, moved] : even) {
    double factor = 1;
    if (name.find("model/encoder/") == 0) {
      const size_t layer = name.find("/layer");
      const int stage = layer == std::string::npos ? 0 : name[layer + 6] - '0';
      factor = 0.5 * std::pow(0.25, 4 - stage);
    }
    // in the rounding of the weights that move
    worst = worse(worst, (falling.at(name) - moved * factor).abs().max().item<double>());
  }
  check_at_most(worst, 1e-6, "each stage moves by its own rate");
}

void test_sessions() {
  for (const std::string method : {"finetune", "attentive"}) {
    const Value spec = session_spec({{"method", method},
                                     {"accumulate", 2},
                                     {"optimizer", Object{{"name", "adamw"}, {"weightDecay", 0.0}}}});
    const auto numbers = [&](int i) {
      Object all{{"lr", 5e-3}};
      if (method == "finetune") all["dropoutSeed"] = i;
      return Value(all);
    };
    Session whole(spec), before(spec);
    const auto go = [&](Session& s, int i) { return s.step(labelled_batch(8, 4, 16, i % 2), numbers(i)); };
    double first = 0, last = 0;
    for (int i = 0; i < 40; ++i) {
      const double loss = go(whole, i).losses.at("loss");
      (i < 2 ? first : last) = loss;
    }
    check(last < 0.7 * first, method + " learns: " + std::to_string(first) + " to " + std::to_string(last));
    for (int i = 0; i < 20; ++i) go(before, i);
    Session after(spec);
    after.import_state(before.export_state());
    for (int i = 20; i < 40; ++i) go(after, i);
    check(same_bytes(after.export_state(), whole.export_state()), method + " resumes exactly");
    const video::Batch batch = labelled_batch(8, 4, 16, 1);
    check(whole.encoder_names() == std::vector<std::string>{"encoder"}, "one encoder is exported");
    check(whole.embed(batch, "clip", "classifier").size() == 8 * kClasses, "and the classifier embeds");
    check_throws("ERR_VSSL_INVALID_ARGUMENT", "classifier", [&] { whole.export_encoder("classifier"); });
    video::Batch wrong = labelled_batch(8, 4, 16, 1);
    wrong.side[0].ints()[3] = 4;
    check_throws("ERR_VSSL_INVALID_ARGUMENT", "from 0 to 3", [&] { whole.step(wrong, numbers(1)); });
    wrong.side.clear();
    check_throws("ERR_VSSL_INVALID_ARGUMENT", "label", [&] { whole.step(wrong, numbers(1)); });
  }
}

void test_grid() {
  const auto net = create_model(Value(Object{{"arch", "r3d_10"}, {"width", 0.125}}), 3, Placement{});
  const Tensor clips = drawn_clips({4, 3, 8, 48, 48}, 2);
  const Tensor map = net->features(clips, Pass{}).to(at::kDouble);
  const auto cell = [](int64_t i, int64_t cells, int64_t size) {
    return std::pair{i * size / cells, ((i + 1) * size + cells - 1) / cells};
  };
  const Tensor found = net->embed_grid(clips, Pass{}, {1, 2, 2});
  check(found.sizes() == at::IntArrayRef({4, net->dim() * 4}), "as many numbers as cells");
  double worst = 0;
  for (int64_t c = 0; c < net->dim(); ++c)
    for (int64_t y = 0; y < 2; ++y)
      for (int64_t x = 0; x < 2; ++x) {
        const auto [top, bottom] = cell(y, 2, map.size(3));
        const auto [left, right] = cell(x, 2, map.size(4));
        const Tensor mean = map.select(1, c).slice(2, top, bottom).slice(3, left, right).mean({1, 2, 3});
        worst = worse(worst, relative(found.select(1, c * 4 + y * 2 + x), mean));
      }
  check_at_most(worst, 1e-5, "each cell has the mean of its part of the map");
  check_at_most(
      relative(net->embed_grid(clips, Pass{}, {1, 1, 1}), net->embed(clips, Pass{}).to(at::kDouble)), 1e-5,
      "one cell is the pooled feature");
  check_throws("ERR_VSSL_INVALID_ARGUMENT", "cells", [&] { net->embed_grid(clips, Pass{}, {1, 9, 9}); });
  for (const char* arch : {"r3d_18", "r2plus1d_18", "mc3_18", "r3d_50", "c3d"}) {
    const auto any = create_model(Value(Object{{"arch", arch}, {"width", 0.0625}}), 1, Placement{});
    std::vector<int64_t> seen(static_cast<size_t>(any->stages()), 0);
    for (const auto& entry : any->weights().entries())
      ++seen.at(static_cast<size_t>(any->stage_of(entry.name)));
    for (const int64_t count : seen)
      check(count > 0, std::string(arch) + " has weights in each of its stages");
  }
}

}  // namespace
}  // namespace vssl::engine::testing

int main() {
  using namespace vssl::engine::testing;
  vssl::engine::set_threads(2);
  for (auto* test : {test_linear, test_dropout, test_attention, test_rates, test_sessions, test_grid}) {
    try {
      test();
    } catch (const std::exception& e) {
      vssl::check(false, std::string("a test threw: ") + e.what());
    }
  }
  return vssl::finish();
}
