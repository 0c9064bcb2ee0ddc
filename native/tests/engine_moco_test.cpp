// MoCo and VideoMoCo against their formulas: losses and gradients in double precision, the momentum copy, the
// queue, the straight-through gradient of the generator.
#include <torch/csrc/autograd/autograd.h>

#include "../engine/blocks/branch.h"
#include "../engine/blocks/frame_scorer.h"
#include "../engine/blocks/key_queue.h"
#include "../engine/blocks/rows.h"
#include "engine_methods.h"

namespace vssl::engine::testing {
namespace {

double error_of(const Tensor& found, const Tensor& expected) {
  const Tensor e = expected.detach().to(at::kDouble), f = found.detach().to(at::kDouble);
  return ((f - e).norm() / (e.norm() + 1e-30)).item<double>();
}

std::vector<Tensor> gradients_of(const Weights& weights) {
  std::vector<Tensor> out;
  for (const Tensor& p : parameters_of(weights))
    out.push_back(p.grad().defined() ? p.grad().clone() : Tensor());
  return out;
}

// The largest error over tensors, relative to the norm of all together.
double error_of(const std::vector<Tensor>& found, const std::vector<Tensor>& expected) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    difference += (found[i] - expected[i]).to(at::kDouble).square().sum().item<double>();
    norm += expected[i].to(at::kDouble).square().sum().item<double>();
  }
  return std::sqrt(difference / (norm + 1e-30));
}

// The ring as one would write it down.
struct PlainQueue {
  MomentumQueueOptions options;
  Tensor keys, ages;
  int64_t next;

  void enqueue(const Tensor& fresh) {
    const bool per_key = options.age_unit == AgeUnit::kKey;
    if (!per_key) ages += 1;
    for (int64_t i = 0; i < fresh.size(0); ++i) {
      if (per_key) ages += 1;
      keys[next] = fresh[i] / fresh[i].norm();
      ages[next] = 1;
      next = (next + 1) % options.capacity;
    }
  }
};

void test_queue() {
  const int64_t n = 7, dim = 12, capacity = 50;
  for (const DecayOn on : {DecayOn::kLogit, DecayOn::kWeight}) {
    for (const AgeUnit unit : {AgeUnit::kEnqueue, AgeUnit::kKey}) {
      MomentumQueueOptions options;
      options.capacity = capacity;
      options.dim = dim;
      options.decay = 0.97;
      options.decay_on = on;
      options.age_unit = unit;
      options.seed = 5;
      const auto fused = create_key_queue(options, at::kCPU);
      const NamedHandles first = fused->state();
      PlainQueue plain{options, first[0].second.clone(), first[1].second.clone(),
                       first[2].second.item<int64_t>()};
      for (int step = 0; step < 12; ++step) {
        const Tensor q = drawn({n, dim}, 100 + step).requires_grad_();
        const Tensor k = drawn({n, dim}, 200 + step) + q.detach();
        const NamedHandles state = fused->state();
        const Tensor exact = q.detach().to(at::kDouble).requires_grad_();
        const Tensor expected =
            info_nce_from_formula(exact, k.to(at::kDouble), state[0].second.to(at::kDouble),
                                  state[1].second.to(at::kDouble), options, 0.1);
        expected.backward();
        const Tensor loss = fused->info_nce_loss(q, k, 0.1);
        (loss * 3).backward();
        check_at_most(error_of(loss, expected), 1e-5, "InfoNCE in step " + std::to_string(step));
        check_at_most(error_of(q.grad() / 3, exact.grad()), 1e-5,
                      "its gradient in step " + std::to_string(step));
        fused->enqueue(k);
        plain.enqueue(k);
        const NamedHandles now = fused->state();
        check_at_most(error_of(plain.keys, now[0].second), 1e-6, "both queues hold the same keys");
        check_at_most(error_of(plain.ages, now[1].second), 1e-6, "of the same ages");
        check(plain.next == now[2].second.item<int64_t>(), "and have the same next slot");
      }
      const auto copy = create_key_queue(options, at::kCPU);
      copy->restore(fused->state());
      const Tensor q = drawn({n, dim}, 1), k = drawn({n, dim}, 2);
      copy->enqueue(k);
      fused->enqueue(k);
      check(at::equal(copy->info_nce_loss(q, k, 0.1), fused->info_nce_loss(q, k, 0.1)),
            "a restored queue goes on with the same bits");
    }
  }
}

// A method outside a session, and the networks that it begins with.
struct Fixture : MethodAlone {
  explicit Fixture(const std::string& name, const Object& changes = {})
      : MethodAlone(name, merged({{"queue", 20}, {"headDim", 16}, {"headHidden", 24}, {"temperature", 0.2}},
                                 changes)) {
    HeadOptions head;
    head.layers = name == "moco" ? 1 : 0;
    head.hidden_norm = false;
    head.hidden = 24;
    head.out = 16;
    Options none(options, name);
    twin = std::make_unique<Branch>(MethodPlan{none, model, seed, Placement{}}, head);
    first = drawn_clips({6, 3, 4, 16, 16}, 1);
    second = (first + 0.3 * drawn({6, 3, 4, 16, 16}, 2)).contiguous(at::MemoryFormat::ChannelsLast3d);
    views = {{"view1", first, {}}, {"view2", second, {}}};
  }

  std::map<std::string, double> step(Object numbers = {}, int64_t accumulate = 1) {
    numbers.insert({{"drop", 0}, {"momentum", 0.999}});
    hyper = Value(std::move(numbers));
    return losses = MethodAlone::step(accumulate);
  }
  Tensor embed(const Tensor& clips) {
    Pass pass;
    pass.train = true;
    return twin->embed(clips, pass);
  }
  // Two batches of keys enter the queue, so that its keys have different ages; networks stay as they are.
  void fill_queue() {
    for (int i = 0; i < 2; ++i) {
      step();
      hyper = Value(Object{{"momentum", 1}});
      commit();
    }
    for (const auto& found : method->networks())
      for (const Tensor& p : parameters_of(*found.weights)) p.mutable_grad().reset();
  }
  // InfoNCE in double of embeddings in fp32, against the queue as it is now.
  Tensor formula(const Tensor& q, const Tensor& k, double decay = 1, DecayOn on = DecayOn::kLogit) {
    MomentumQueueOptions o;
    o.decay = decay;
    o.decay_on = on;
    return info_nce_from_formula(q.to(at::kDouble), k.detach().to(at::kDouble),
                                 stored("keys").to(at::kDouble), stored("ages"), o, 0.2);
  }

  std::unique_ptr<Branch> twin;
  Tensor first, second;
  std::map<std::string, double> losses;
};

void test_moco_step() {
  Fixture f("moco");
  const Tensor expected = f.formula(f.embed(f.first), f.embed(f.second));
  expected.backward();
  const double loss = f.step()["loss"];
  check_at_most(std::fabs(loss - expected.item<double>()), 1e-5 * expected.item<double>(),
                "the loss of a step");
  check_at_most(error_of(gradients_of(f.network("head")), gradients_of(f.twin->head_weights())), 1e-5,
                "the head's gradient");
  check_at_most(error_of(gradients_of(f.network("encoder")), gradients_of(f.twin->encoder_weights())), 1e-4,
                "the encoder's gradient");
  for (const Tensor& p : parameters_of(f.network("key_encoder")))
    check(!p.grad().defined(), "keys take no gradient");

  // The copy moves by the formula, its BatchNorm statistics stay its own, and the keys enter the queue.
  const Tensor keys = unit_rows(f.embed(f.second)).detach();
  {
    const at::NoGradGuard no_grad;
    for (const Tensor& p : parameters_of(f.network("encoder"))) p.add_(0.1);
  }
  std::vector<Tensor> wanted;
  const auto from = parameters_of(f.network("encoder"));
  const auto to = parameters_of(f.network("key_encoder"));
  for (size_t i = 0; i < from.size(); ++i)
    wanted.push_back(0.9 * to[i].to(at::kDouble) + (1 - 0.9) * from[i].detach().to(at::kDouble));
  f.hyper = Value(Object{{"momentum", 0.9}});
  f.commit();
  check_at_most(error_of(parameters_of(f.network("key_encoder")), wanted), 1e-6, "k <- m k + (1 - m) q");
  check(f.stored("next").item<int64_t>() == 6, "the next slot follows the keys");
  check_at_most(error_of(f.stored("keys").slice(0, 0, 6), keys), 1e-5, "the keys are in the queue");
  check(at::equal(f.stored("ages").slice(0, 0, 6), at::ones({6})), "with age 1");
}

void test_symmetric() {
  Fixture f("moco", {{"symmetric", true}});
  const Tensor a = f.embed(f.first), b = f.embed(f.second);
  const double expected = (f.formula(a, b) + f.formula(b, a)).item<double>();
  check_at_most(std::fabs(f.step()["loss"] - expected), 1e-5 * expected, "the symmetric loss is the sum");
  f.commit();
  check(f.stored("next").item<int64_t>() == 12, "both views' keys enter the queue");
}

void test_groups() {
  // BatchNorm over two groups of a batch is BatchNorm over two chunks of it.
  Fixture groups("moco", {{"normGroups", 2}}), chunks("moco");
  const double a = groups.step()["loss"], b = chunks.step({}, 2)["loss"];
  check_at_most(std::fabs(a - b), 1e-6, "groups and chunks have the same loss");
  check_at_most(error_of(gradients_of(groups.network("encoder")), gradients_of(chunks.network("encoder"))),
                1e-5, "and the same gradient");
  // Another order of the keys puts them into other groups, and back into their places.
  Fixture shuffled("moco", {{"normGroups", 2}});
  const double c = shuffled.step({{"shuffle", 7}})["loss"];
  check(c != a && std::fabs(c - a) < 0.5, "shuffled keys are near what they were, not the same");
  Fixture unshuffled("moco", {{"normGroups", 2}, {"shuffle", false}});
  check(unshuffled.step({{"shuffle", 7}})["loss"] == a, "without shuffling the order is not asked for");
  Fixture whole("moco"), same("moco", {{"normGroups", 1}});
  check(whole.step()["loss"] == same.step({{"shuffle", 7}})["loss"], "one group has nothing to shuffle");
}

// A step of VideoMoCo that drops the frames `order` puts first (6, T), two of each clip, from the formulas.
struct DropFormula {
  DropFormula(Fixture& f, const Tensor& order, bool fill_mean, DecayOn on) {
    masked = f.first.clone();
    const Tensor fill =
        fill_mean ? f.first.mean({1, 3, 4}, true).expand_as(f.first) : at::zeros_like(f.first);
    for (int64_t i = 0; i < 6; ++i)
      for (int64_t j = 0; j < 2; ++j) {
        const int64_t frame = order[i][j].item<int64_t>();
        masked[i].select(1, frame).copy_(fill[i].select(1, frame));
      }
    by_mask = f.first - fill;
    masked.requires_grad_();
    const Tensor q = f.embed(masked), k = f.embed(f.second).detach(), r = f.embed(f.first).detach();
    loss = f.formula(q, k, 0.9, on);
    generator = -100 * (unit_rows(q.to(at::kDouble)) - unit_rows(r.to(at::kDouble))).abs().mean();
  }
  // What reaches a score: minus the gradient of the mask's entry, or the sum over the dropped clip's frame.
  Tensor gradient_at_scores(bool clean, bool through_mask) const {
    const auto at_clip = [&](const Tensor& l) { return torch::autograd::grad({l}, {masked}, {}, true)[0]; };
    const Tensor gradient = clean ? at_clip(generator) : at_clip(generator) + at_clip(loss);
    return through_mask ? -(gradient * by_mask).sum({1, 3, 4}) : gradient.sum({1, 3, 4});
  }

  Tensor masked, by_mask, loss, generator;
};

void test_video_moco() {
  for (const bool clean : {true, false}) {
    for (const std::string through : {"mask", "frame"}) {
      for (const std::string fill : {"zero", "mean"}) {
        const std::string what = std::string(clean ? "clean" : "mixed") + " gradients through the " +
                                 through + ", filled by " + fill;
        const bool on_logit = clean;  // both decays, each with both ways through
        Fixture f("videomoco", {{"dropRatio", 0.5},
                                {"cleanGradients", clean},
                                {"straightThrough", through},
                                {"fill", fill},
                                {"decay", 0.9},
                                {"decayOn", on_logit ? "logit" : "weight"}});
        f.fill_queue();
        FrameScorer scorer(3, Placement{});
        Pass pass;
        pass.train = true;
        const Tensor scores = scorer.forward(f.first, pass);
        check_at_most(error_of(scores.sum(1), at::ones({6})), 1e-6, "scores add up to 1");
        // The two frames of the highest scores of each clip, found by sorting.
        const DropFormula expected(f, scores.detach().argsort(1, true), fill == "mean",
                                   on_logit ? DecayOn::kLogit : DecayOn::kWeight);
        scores.backward(expected.gradient_at_scores(clean, through == "mask"));
        expected.loss.backward();

        const double loss = expected.loss.item<double>(), generator = expected.generator.item<double>();
        const auto losses = f.step({{"drop", 1}});
        check_at_most(std::fabs(losses.at("loss") - loss), 1e-5 * loss,
                      what + ": InfoNCE of the dropped clip");
        check_at_most(std::fabs(losses.at("generator") - generator), 1e-5 * std::fabs(generator),
                      what + ": the generator's loss");
        check_at_most(error_of(gradients_of(f.network("head")), gradients_of(f.twin->head_weights())), 1e-5,
                      what + ": the head's gradient is InfoNCE's alone");
        check_at_most(error_of(gradients_of(f.network("encoder")), gradients_of(f.twin->encoder_weights())),
                      1e-4, what + ": the encoder's too");
        check_at_most(error_of(gradients_of(f.network("generator")), gradients_of(scorer.weights())), 1e-3,
                      what + ": the generator's gradient");
      }
    }
  }
  for (const std::string unit : {"enqueue", "key"}) {
    Fixture f("videomoco", {{"decay", 0.9}, {"ageUnit", unit}});
    f.fill_queue();
    const double oldest = f.stored("ages").max().item<double>();
    check(oldest == (unit == "key" ? 12 : 2), "ages count by the " + unit);
  }
}

void test_drop_phases() {
  Fixture before("videomoco"), none("videomoco", {{"drop", "none"}});
  const double plain = before.step()["loss"];
  check(plain == none.step({{"drop", 1}})["loss"], "before the switch nothing is dropped");
  const Object at_random{{"drop", "random"}, {"dropRatio", 0.5}, {"decay", 0.9}};
  Fixture random("videomoco", at_random), other("videomoco", at_random);
  random.fill_queue();
  other.fill_queue();
  const CounterRandom draws(1, "dropped frames");
  Tensor scores = at::empty({6, 4}, at::kDouble);
  for (int64_t i = 0; i < 24; ++i) scores.mutable_data_ptr<double>()[i] = draws.uniform(i);
  const DropFormula formula(random, scores.argsort(1, true), false, DecayOn::kLogit);
  const double expected = formula.loss.item<double>();
  check_at_most(std::fabs(random.step({{"drop", 1}, {"dropSeed", 1}})["loss"] - expected), 1e-5 * expected,
                "the frames of the highest draws are dropped");
  check(std::fabs(other.step({{"drop", 1}, {"dropSeed", 2}})["loss"] - expected) > 1e-4,
        "others for another seed");
}

void test_resume() {
  const auto hyper_of = [](const std::string& method, int step) {
    Object numbers{{"lr", 0.05}, {"momentum", 0.9 + 0.01 * step}, {"shuffle", 10 + step}};
    if (method == "videomoco") numbers.insert({{"drop", step % 2}, {"dropSeed", 20 + step}});
    return Value(std::move(numbers));
  };
  for (const std::string name : {"moco", "videomoco"}) {
    const auto hyper = [&](int step) { return hyper_of(name, step); };
    for (const std::string precision : {"fp32", "bf16"}) {
      const Value spec = session_spec(
          {{"method", name},
           {"precision", precision},
           {"options", Object{{"queue", 20}, {"normGroups", 2}, {"symmetric", true}, {"decay", 0.99}}}});
      Session whole(spec), before(spec);
      for (int i = 0; i < 4; ++i)
        check(whole.step(make_batch(6, 4, 16, i), hyper(i)).finite, "a finite step");
      for (int i = 0; i < 2; ++i) before.step(make_batch(6, 4, 16, i), hyper(i));
      Session after(spec);
      after.import_state(before.export_state());
      for (int i = 2; i < 4; ++i) after.step(make_batch(6, 4, 16, i), hyper(i));
      check(same_bytes(after.export_state(), whole.export_state()),
            name + " resumes exactly in " + precision);
    }
  }
}

void test_learning() {
  for (const std::string name : {"moco", "videomoco"}) {
    Session session(
        session_spec({{"method", name}, {"options", Object{{"queue", 16}, {"temperature", 0.2}}}}));
    double first = 0, last = 0;
    for (int i = 0; i < 40; ++i) {
      Object hyper{{"lr", 0.05}, {"momentum", 0.9}};
      if (name == "videomoco") hyper["drop"] = i >= 20 ? 1 : 0;
      const double loss = session.step(make_batch(8, 4, 16, i % 4), Value(hyper)).losses.at("loss");
      if (i < 4) first += loss;
      if (i >= 36) last += loss;
    }
    check(last < 0.8 * first,
          name + " learns: " + std::to_string(first / 4) + " to " + std::to_string(last / 4));
  }
}

void test_specs() {
  const auto refused = [](const std::string& method, const Object& options) {
    return code_of([&] {
             Session s(session_spec({{"method", method}, {"options", options}}));
           }) == "ERR_VSSL_INVALID_ARGUMENT";
  };
  check(refused("moco", {{"queue", 0}}), "an empty queue is refused");
  check(refused("moco", {{"decayOn", "age"}}), "an unknown decay is refused");
  check(refused("moco", {{"dropRatio", 0.5}}), "another method's option is refused");
  check(refused("videomoco", {{"drop", "most"}}), "an unknown way of dropping is refused");
  check(refused("videomoco", {{"dropRatio", -1}}), "a negative ratio is refused");
}

}  // namespace
}  // namespace vssl::engine::testing

int main() {
  using namespace vssl::engine::testing;
  vssl::engine::set_threads(2);
  for (auto* test : {test_queue, test_moco_step, test_symmetric, test_groups, test_video_moco,
                     test_drop_phases, test_resume, test_learning, test_specs}) {
    try {
      test();
    } catch (const std::exception& e) {
      vssl::check(false, std::string("threw: ") + e.what());
    }
  }
  return vssl::finish();
}
