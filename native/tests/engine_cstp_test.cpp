// CSTP against its formulas: BYOL of two clips, four predictions, clips that are turned.
#include "../engine/blocks/branch.h"
#include "engine_cases.h"
#include "engine_predictions_twin.h"
#include "engine_resume.h"

namespace vssl::engine::testing {
namespace {

constexpr int64_t kClips = 6;

struct Heads {
  const char* name;
  bool pair;
  int64_t classes;
};
constexpr Heads kHeads[] = {
    {"space", true, 5}, {"time", true, 5}, {"speed", false, 4}, {"rotation", false, 4}};

// A method outside a session, and the networks that it begins with.
struct Fixture : MethodAlone {
  explicit Fixture(const Object& changes = {})
      : MethodAlone("cstp", merged({{"headDim", 10}, {"headHidden", 12}, {"contrast", 0.7}}, changes)) {
    HeadOptions head;
    head.layers = 1;
    head.hidden = 12;
    head.out = 10;
    Options none(options, "cstp");
    twin = std::make_unique<Branch>(MethodPlan{none, model, seed, Placement{}}, head);
    head.in = 10;
    predictor = std::make_unique<ProjectionHead>(head, seed + 1, Placement{});
    first = drawn_clips({kClips, 3, 4, 16, 16}, 1);
    second = drawn_clips({kClips, 3, 4, 16, 16}, 2);
    views = {{"view1", first, {}}, {"view2", second, {}}};
    uint64_t at = 10;
    for (const auto& [name, pair, classes] : kHeads)
      views.push_back({name, whole_numbers({kClips, pair ? 1 : 2}, classes, ++at), {}});
    hyper = Value(Object{{"momentum", 0.9}});
  }
  const Tensor& targets(const std::string& name) const {
    for (const Rows& rows : views)
      if (rows.name == name) return rows.data;
    throw Error("ERR_VSSL_TEST", "no view " + name);
  }

  std::unique_ptr<Branch> twin;
  std::unique_ptr<ProjectionHead> predictor;
  Tensor first, second;
};

// Pixel (y, x) of a clip of side s, turned by k quarters against the clock, comes from here.
Tensor turned_twin(const Tensor& clips, const Tensor& quarters) {
  const Tensor out = clips.clone();
  const int64_t s = clips.size(3);
  for (int64_t i = 0; i < clips.size(0); ++i)
    for (int64_t y = 0; y < s; ++y)
      for (int64_t x = 0; x < s; ++x) {
        int64_t fy = y, fx = x;
        for (int64_t k = 0; k < quarters[i].item<int64_t>(); ++k) {
          const int64_t before = fy;
          fy = fx;
          fx = s - 1 - before;
        }
        out[i].select(3, x).select(2, y).copy_(clips[i].select(3, fx).select(2, fy));
      }
  return out;
}

void test_step() {
  for (const bool turns : {true, false}) {
    const std::string what = turns ? "turned: " : "not turned: ";
    Value::Array list;
    for (const auto& [name, pair, classes] : kHeads)
      if (turns || std::string(name) != "rotation")
        list.push_back(prediction(name, pair ? "pair" : "each", classes, pair ? 0.5 : 2));
    Fixture f({{"predictions", list}});
    if (!turns) f.views.pop_back();
    const auto losses = f.step();

    Tensor a = f.first, b = f.second;
    if (turns) {
      a = turned_twin(a, f.targets("rotation").select(1, 0));
      b = turned_twin(b, f.targets("rotation").select(1, 1));
    }
    Pass pass;
    pass.train = true;
    const Tensor features = f.twin->encoder().embed(at::cat({a, b}), pass);
    const Tensor z = f.twin->project(features, pass), p = f.predictor->forward(z, pass);
    const Tensor k = z.detach().to(at::kDouble), q = p.to(at::kDouble);  // the copy begins as its source
    Tensor contrast = at::zeros({}, at::kDouble);
    for (int64_t i = 0; i < 2 * kClips; ++i) {
      const Tensor other = k[(i + kClips) % (2 * kClips)];
      contrast = contrast + 2 - 2 * (q[i] * other).sum() / (q[i].norm() * other.norm());
    }
    contrast = contrast / static_cast<double>(kClips);
    Tensor expected = 0.7 * contrast;
    std::map<std::string, std::vector<Tensor>> weights;
    const Tensor fa = features.slice(0, 0, kClips), fb = features.slice(0, kClips);
    for (const auto& [name, pair, classes] : kHeads) {
      if (!f.has(std::string("predict_") + name)) continue;
      weights[name] = own_weights(f.network(std::string("predict_") + name));
      const Tensor target = f.targets(name);
      const Tensor x = pair ? at::cat({fa, fb}, 1) : at::cat({fa, fb});
      const Tensor loss = loss_twin(answer_twin(weights[name], x), target.t().flatten(), true);
      expected = expected + (pair ? 0.5 : 2) * loss / static_cast<double>(kClips);
    }
    expected.backward();

    check_at_most(std::fabs(losses.at("loss") / expected.item<double>() - 1), 1e-5, what + "loss");
    check_at_most(std::fabs(losses.at("contrast") - contrast.item<double>()), 1e-5, what + "BYOL");
    check_at_most(error_of(gradients_of(f.network("encoder")), gradients_of(f.twin->encoder_weights())), 1e-4,
                  what + "the encoder's gradient");
    check_at_most(error_of(gradients_of(f.network("head")), gradients_of(f.twin->head_weights())), 1e-4,
                  what + "the projector's gradient");
    check_at_most(error_of(gradients_of(f.network("predictor")), gradients_of(f.predictor->weights())), 1e-4,
                  what + "the predictor's gradient");
    for (const auto& [name, own] : weights)
      check_at_most(error_of(gradients_of(f.network("predict_" + name)), gradients_at(own)), 1e-4,
                    what + "the gradient of " + name);
    for (const Tensor& w : parameters_of(f.network("key_encoder")))
      check(!w.grad().defined(), what + "the copy takes no gradient");
  }
}

void test_copy() {
  Fixture f;
  f.step();
  {
    const at::NoGradGuard no_grad;
    for (const Tensor& p : parameters_of(f.network("encoder"))) p.add_(0.1);
  }
  std::vector<Tensor> wanted;
  const auto from = parameters_of(f.network("encoder")), to = parameters_of(f.network("key_encoder"));
  for (size_t i = 0; i < from.size(); ++i)
    wanted.push_back(0.9 * to[i].to(at::kDouble) + (1 - 0.9) * from[i].detach().to(at::kDouble));
  f.commit();
  check_at_most(error_of(parameters_of(f.network("key_encoder")), wanted), 1e-6, "k <- m k + (1 - m) q");
}

void test_without_contrast() {
  Fixture f({{"contrast", 0}});
  const auto losses = f.step();
  check(losses.at("contrast") == 0 && losses.at("loss") > 0, "predictions alone");
  for (const Tensor& w : parameters_of(f.network("predictor")))
    check(!w.grad().defined(), "no predictor is trained");
  Fixture none({{"predictions", Value::Array{}}});
  none.views.resize(2);
  const auto alone = none.step();
  check_at_most(std::fabs(alone.at("loss") - 0.7 * alone.at("contrast")), 1e-6, "the contrast alone");
}

// Chunks are exact but for BatchNorm: names and shares are those of the whole batch.
void test_chunks() {
  Fixture whole, parts;
  const auto a = whole.step(), b = parts.step(3);
  check(a.size() == b.size(), "the same losses");
  for (const auto& [name, value] : a)
    check(b.count(name) == 1 && std::fabs(b.at(name) - value) < 0.5 * std::fabs(value) + 0.5,
          name + " in parts");
}

void test_resume_and_learning() {
  const Case c{"cstp", "cstp", {{"headDim", 16}}};
  const auto batch = [&](uint64_t seed) { return batch_of(c, seed); };
  check_exact_resume(c.method, c.options, batch, [&](int step) { return numbers_of(c, step, 0.05); });
  check_learning(c.method, c.options, batch, [&](int step) { return numbers_of(c, step, 0.02); });
}

}  // namespace
}  // namespace vssl::engine::testing

int main() {
  using namespace vssl::engine::testing;
  vssl::engine::set_threads(2);
  for (auto* test : {test_step, test_copy, test_without_contrast, test_chunks, test_resume_and_learning}) {
    try {
      test();
    } catch (const std::exception& e) {
      vssl::check(false, std::string("threw: ") + e.what());
    }
  }
  return vssl::finish();
}
