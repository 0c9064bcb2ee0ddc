// Heads that predict against their formulas in double precision, and ConCur, a contrast with one of them.
#include "../engine/blocks/predictions.h"
#include "engine_predictions_twin.h"
#include "engine_resume.h"

namespace vssl::engine::testing {
namespace {

// A list of heads outside a method.
struct Heads {
  explicit Heads(const Value::Array& list, int64_t dim)
      : values(Object{{"predictions", list}, {"predictionHidden", 7}}),
        options(values, "a test"),
        heads(MethodPlan{options, none, 5, Placement{}}, dim) {
    heads.add_networks(networks);
  }
  StepContext context(const std::vector<Rows>& views, int64_t samples, int64_t accumulate) {
    return StepContext(views, side, samples, hyper, alone, false, accumulate, at::kFloat, Placement{});
  }
  std::vector<Tensor> weights(size_t i) const { return parameters_of(*networks[i].weights); }

  Value values, none, hyper{Object{}};
  Options options;
  Predictions heads;
  std::vector<Network> networks;
  std::vector<Rows> side;
  SingleProcess alone;
};

void test_heads() {
  const int64_t n = 6, dim = 5;
  const Tensor a = drawn({n, dim}, 1), b = drawn({n, dim}, 2);
  for (const bool classes : {true, false}) {
    for (const bool pair : {true, false}) {
      const std::string what =
          std::string(classes ? "classes" : "numbers") + (pair ? " of pairs" : " of each");
      Heads h({prediction("y", pair ? "pair" : "each", classes ? 3 : 0, 0.4)}, dim);
      const int64_t width = pair ? 1 : 2;
      const std::vector<int64_t> having = {0, 2, 3, 5};
      const Tensor targets = classes ? whole_numbers({4, width}, 3, 3) : 2 * drawn({4, width}, 3);
      const std::vector<Rows> views = {{"y", targets, having}};

      const Tensor fa = a.clone().requires_grad_(), fb = b.clone().requires_grad_();
      StepContext context = h.context(views, n, 1);
      const Tensor loss = h.heads.loss(context, context.chunks()[0], fa, fb);
      loss.backward();

      const Tensor ea = a.clone().requires_grad_(), eb = b.clone().requires_grad_();
      const Tensor places = at::tensor(having, at::kLong);
      const Tensor sa = ea.index_select(0, places), sb = eb.index_select(0, places);
      Tensor expected;
      if (pair) {
        expected = loss_twin(answer_twin(h.weights(0), at::cat({sa, sb}, 1)), targets.select(1, 0), classes);
      } else {
        expected = loss_twin(answer_twin(h.weights(0), sa), targets.select(1, 0), classes) +
                   loss_twin(answer_twin(h.weights(0), sb), targets.select(1, 1), classes);
      }
      expected = expected / static_cast<double>(n);
      std::vector<Tensor> found = gradients_of(*h.networks[0].weights);
      for (const Tensor& w : h.weights(0)) w.mutable_grad().reset();
      (expected * 0.4).backward();
      check_at_most(error_of(loss, expected * 0.4), 1e-5, what);
      check_at_most(error_of(fa.grad(), ea.grad()), 1e-5, what + ": gradient of the first features");
      check_at_most(error_of(fb.grad(), eb.grad()), 1e-5, what + ": gradient of the second features");
      check_at_most(error_of(found, gradients_of(*h.networks[0].weights)), 1e-5, what + ": of the head");
      const auto losses = context.losses();
      check_at_most(std::fabs(losses.at("y") - expected.item<double>()), 1e-5, what + ": reported");
      check(losses.count("yAccuracy") == (classes ? 1 : 0), what + ": accuracy of classes alone");

      StepContext parts = h.context(views, n, 3);
      double sum = 0;
      for (const Chunk& chunk : parts.chunks())
        sum +=
            h.heads.loss(parts, chunk, a.slice(0, chunk.begin, chunk.end), b.slice(0, chunk.begin, chunk.end))
                .item<double>();
      check_at_most(std::fabs(sum - 0.4 * expected.item<double>()), 1e-5, what + ": in parts");
    }
  }
}

void test_no_targets() {
  Heads h({prediction("y", "pair", 3, 1), prediction("z", "each", 0, 1)}, 5);
  StepContext context = h.context({}, 6, 1);
  const Tensor a = drawn({6, 5}, 1).requires_grad_();
  const Tensor loss = h.heads.loss(context, context.chunks()[0], a, a);
  check(loss.item<double>() == 0 && !loss.requires_grad(), "nothing is learnt without targets");
  const auto losses = context.losses();
  for (const char* name : {"y", "yAccuracy", "z"})
    check(losses.count(name) == 1 && losses.at(name) == 0, std::string("still said: ") + name);
}

void test_refusals() {
  const auto refused = [](const Value& entry, const std::string& part) {
    check_throws("ERR_VSSL_INVALID_ARGUMENT", part, [&] { Heads({entry}, 4); });
  };
  refused(prediction("y", "both", 3, 1), "input");
  refused(prediction("y", "pair", 1, 1), "2 classes");
  refused(prediction("y", "pair", 3, -1), "weight");
  Heads h({prediction("y", "pair", 3, 1)}, 4);
  const std::vector<Rows> views = {{"y", at::full({2, 1}, 3, at::kLong), {}}};
  StepContext context = h.context(views, 2, 1);
  check_throws("ERR_VSSL_INVALID_ARGUMENT", "classes from 0 to 2", [&] {
    h.heads.loss(context, context.chunks()[0], drawn({2, 4}, 1), drawn({2, 4}, 2));
  });
}

void test_step() {
  MethodAlone f("concur", {{"headDim", 10}, {"headHidden", 12}, {"lossScale", 2}, {"temperature", 0.3}});
  f.views = {{"view1", drawn_clips({6, 3, 4, 16, 16}, 1), {}},
             {"view2", drawn_clips({6, 3, 4, 16, 16}, 2), {}},
             {"distance", whole_numbers({4, 1}, 4, 3), {0, 1, 3, 4}}};
  const auto losses = f.step();

  const auto encoder = create_model(f.model, f.seed, Placement{});
  HeadOptions options;
  options.in = encoder->dim();
  options.hidden = 12;
  options.layers = 1;
  options.out = 10;
  ProjectionHead head(options, f.seed, Placement{});
  Pass pass;
  pass.train = true;
  const Tensor features = encoder->embed(at::cat({f.views[0].data, f.views[1].data}), pass);
  const Tensor contrast = 2 * nt_xent_twin(head.forward(features, pass), 0.3);
  const Tensor places = at::tensor(f.views[2].samples, at::kLong);
  const Tensor pairs = at::cat({features.index_select(0, places), features.index_select(0, places + 6)}, 1);
  const std::vector<Tensor> weights = own_weights(f.network("predict_distance"));
  const Tensor distance = loss_twin(answer_twin(weights, pairs), f.views[2].data.select(1, 0), true) / 6.0;
  const Tensor expected = contrast + 0.5 * distance;
  expected.backward();

  check_at_most(std::fabs(losses.at("loss") - expected.item<double>()), 1e-5 * expected.item<double>(),
                "loss");
  check_at_most(std::fabs(losses.at("distance") - distance.item<double>()), 1e-5, "distance");
  check_at_most(error_of(gradients_of(f.encoder().weights()), gradients_of(encoder->weights())), 1e-4,
                "the encoder's gradient");
  check_at_most(error_of(gradients_of(f.network("head")), gradients_of(head.weights())), 1e-4,
                "the head's gradient");
  check_at_most(error_of(gradients_of(f.network("predict_distance")), gradients_at(weights)), 1e-4,
                "the gradient of the distance head");
}

video::Batch batch_at(uint64_t seed) {
  video::Batch batch = make_batch(6, 4, 16, seed);
  video::ViewBuffer view{"distance", video::DType::kInt64, {6, 1}, {}, {}, {}};
  view.allocate();
  for (int64_t i = 0; i < 6; ++i) view.ints()[i] = (i + static_cast<int64_t>(seed)) % 4;
  batch.views.push_back(view);
  return batch;
}

void test_resume_and_learning() {
  const auto numbers = [](int) { return rate(0.05); };
  check_exact_resume("concur", {}, batch_at, numbers);
  check_learning("concur", {}, batch_at, numbers);
}

}  // namespace
}  // namespace vssl::engine::testing

int main() {
  using namespace vssl::engine::testing;
  vssl::engine::set_threads(2);
  for (auto* test : {test_heads, test_no_targets, test_refusals, test_step, test_resume_and_learning}) {
    try {
      test();
    } catch (const std::exception& e) {
      vssl::check(false, std::string("threw: ") + e.what());
    }
  }
  return vssl::finish();
}
