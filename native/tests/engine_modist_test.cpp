// MoDist against its formulas: the four losses and their gradients in double precision over two steps, which
// parameters each loss reaches, the momentum copies, both queues, exact resume.
#include "../engine/blocks/branch.h"
#include "../engine/blocks/rows.h"
#include "engine_methods.h"

namespace vssl::engine::testing {
namespace {

constexpr int64_t kClips = 6, kQueue = 20;
constexpr double kTau = 0.2;

// -log( exp(q k / tau) / (exp(q k / tau) + sum over the queue) ), mean over rows, in double.
Tensor info_nce(const Tensor& queries, const Tensor& keys, const Tensor& queue) {
  const Tensor q = unit_rows(queries.to(at::kDouble)), k = unit_rows(keys.detach().to(at::kDouble));
  const Tensor positive = (q * k).sum(1, true) / kTau;
  const Tensor negatives = q.mm(queue.to(at::kDouble).t()) / kTau;
  return (at::logsumexp(at::cat({positive, negatives}, 1), {1}, true) - positive).mean();
}

double gradient_error(const Weights& found, const Weights& expected) {
  const auto f = parameters_of(found), e = parameters_of(expected);
  double difference = 0, norm = 0;
  for (size_t i = 0; i < e.size(); ++i) {
    if (!f[i].grad().defined()) return 1;
    difference += (f[i].grad() - e[i].grad()).to(at::kDouble).square().sum().item<double>();
    norm += e[i].grad().to(at::kDouble).square().sum().item<double>();
  }
  return std::sqrt(difference / (norm + 1e-30));
}

bool has_gradient(const Weights& weights) {
  for (const Tensor& p : parameters_of(weights))
    if (p.grad().defined() && p.grad().abs().max().item<double>() > 0) return true;
  return false;
}

struct Weighting {
  double lambda = 1, vv = 1, vm = 1, mv = 1, mm = 0;
};

// A method outside a session, beside a twin of each pathway made of plain branches and a queue in double.
struct Fixture : MethodAlone {
  explicit Fixture(const Weighting& w)
      : MethodAlone("modist", {{"queue", kQueue},
                               {"headDim", 16},
                               {"headHidden", 24},
                               {"temperature", kTau},
                               {"lambda", w.lambda},
                               {"vv", w.vv},
                               {"vm", w.vm},
                               {"mv", w.mv},
                               {"mm", w.mm},
                               {"motionModel", Object{{"arch", "r3d_10"}, {"width", 0.0625}}}}),
        weighting(w) {
    HeadOptions head;
    head.layers = 1;
    head.hidden_norm = false;
    head.hidden = 24;
    head.out = 16;
    Options none(options, "modist");
    const MethodPlan visual{none, model, 3, Placement{}},
        motion{none, options["motionModel"], 99, Placement{}};
    for (const std::string name : {"visual", "motion"}) {
      if (!has(name + "_encoder")) continue;
      for (const std::string part : {"", "key_"}) {
        auto branch = std::make_unique<Branch>(name == "visual" ? visual : motion, head);
        branch->encoder_weights().load(network(name + "_" + part + "encoder").save());
        branch->head_weights().load(network(name + "_" + part + "head").save());
        twins[name + "_" + part] = std::move(branch);
      }
      queues[name] = stored(name + "_keys").to(at::kDouble).clone();
    }
  }

  Tensor embed(const std::string& twin, const Tensor& clips) {
    Pass pass;
    pass.train = true;
    return twins.at(twin)->embed(clips, pass);
  }

  void make_clips(uint64_t seed) {
    views.clear();
    for (const std::string name : {"v1", "v2", "m1", "m2"})
      views.push_back({name, drawn_clips({kClips, 3, name[0] == 'v' ? 4 : 6, 16, 16}, seed++), {}});
  }
  // The losses by name, with their gradients in the twins' query networks.
  std::map<std::string, double> twin_step() {
    const auto& w = weighting;
    Tensor v, m, kv = embed("visual_key_", views[1].data).detach(), km, total;
    v = embed("visual_", views[0].data);
    if (has("motion_encoder")) {
      m = embed("motion_", views[2].data);
      km = embed("motion_key_", views[3].data).detach();
    }
    std::map<std::string, double> losses;
    const auto add = [&](const char* name, double factor, const Tensor& q, const Tensor& k,
                         const std::string& queue) {
      if (factor <= 0) return;
      const Tensor loss = info_nce(q, k, queues.at(queue));
      losses[name] = loss.item<double>();
      total = total.defined() ? total + loss * factor : loss * factor;
    };
    add("vv", w.vv, v, kv, "visual");
    add("vm", w.lambda * w.vm, v, km, "motion");
    add("mv", w.lambda * w.mv, m, kv, "visual");
    add("mm", w.lambda * w.mm, m, km, "motion");
    losses["loss"] = total.item<double>();
    total.backward();
    keys = {{"visual", kv}, {"motion", km}};
    return losses;
  }

  // A plain gradient step of both, the method's commit, and what it should do to copies and queues.
  void commit(double m) {
    const at::NoGradGuard no_grad;
    for (const std::string name : {"visual", "motion"}) {
      if (!has(name + "_encoder")) continue;
      for (const std::string part : {"encoder", "head"}) {
        Weights& real = network(name + "_" + part);
        const Branch &query = *twins.at(name + "_"), &key = *twins.at(name + "_key_");
        Weights& q = part == "head" ? query.head_weights() : query.encoder_weights();
        Weights& k = part == "head" ? key.head_weights() : key.encoder_weights();
        const auto reals = parameters_of(real), qs = parameters_of(q), ks = parameters_of(k);
        for (size_t i = 0; i < qs.size(); ++i) {
          if (qs[i].grad().defined()) qs[i].sub_(qs[i].grad(), 0.1);
          reals[i].copy_(qs[i]);
          ks[i].copy_(ks[i].to(at::kDouble) * m + qs[i].to(at::kDouble) * (1 - m));
          qs[i].mutable_grad().reset();
          reals[i].mutable_grad().reset();
        }
        real.changed(), q.changed(), k.changed();
      }
      queues[name].slice(0, enqueued, enqueued + kClips).copy_(unit_rows(keys[name].to(at::kDouble)));
    }
    enqueued += kClips;
    hyper = Value(Object{{"momentum", m}});
    MethodAlone::commit();
  }

  Weighting weighting;
  std::map<std::string, std::unique_ptr<Branch>> twins;
  std::map<std::string, Tensor> queues, keys;
  int64_t enqueued = 0;
};

void test_losses() {
  for (const Weighting w : {Weighting{1, 1, 1, 1, 1}, Weighting{0.5, 0.7, 1.3, 0.4, 0.9}, Weighting{}}) {
    Fixture f(w);
    for (int step = 0; step < 3; ++step) {
      const std::string what = "step " + std::to_string(step) + ", ";
      f.make_clips(10 * step + 1);
      const auto expected = f.twin_step();
      const auto found = f.step();
      check(found.size() == expected.size(), what + "the losses that have a weight");
      for (const auto& [name, value] : expected)
        check_at_most(std::fabs(found.at(name) - value), 1e-5 * value, what + name);
      for (const std::string name : {"visual", "motion"}) {
        const Branch& twin = *f.twins.at(name + "_");
        check_at_most(gradient_error(f.network(name + "_head"), twin.head_weights()), 1e-5,
                      what + "gradient of the head, " + name);
        check_at_most(gradient_error(f.network(name + "_encoder"), twin.encoder_weights()), 1e-4,
                      what + "gradient of the encoder, " + name);
        check(!has_gradient(f.network(name + "_key_encoder")) && !has_gradient(f.network(name + "_key_head")),
              what + "keys take no gradient, " + name);
      }
      f.commit(0.8);
      for (const std::string name : {"visual", "motion"}) {
        check_at_most((f.stored(name + "_keys").to(at::kDouble) - f.queues[name]).abs().max().item<double>(),
                      1e-5, what + "the queue of " + name);
        const auto real = parameters_of(f.network(name + "_key_encoder"));
        const auto twin = parameters_of(f.twins.at(name + "_key_")->encoder_weights());
        double worst = 0;
        for (size_t i = 0; i < twin.size(); ++i)
          worst = worse(worst, (real[i] - twin[i]).abs().max().item<double>());
        check_at_most(worst, 1e-6, what + "k <- m k + (1 - m) q, " + name);
      }
    }
  }
}

void test_reach() {
  // Which query networks each loss alone gives a gradient to.
  const auto reached = [](const Weighting& w) {
    Fixture f(w);
    f.make_clips(1);
    f.step();
    return std::pair<bool, bool>{has_gradient(f.network("visual_encoder")),
                                 has_gradient(f.network("motion_encoder"))};
  };
  check(reached({1, 0, 1, 0, 0}) == std::make_pair(true, false), "vm trains the visual pathway alone");
  // The visual pathway must have a loss; with a tiny one its gradient is seen to be that loss's alone.
  Fixture f({1, 1e-3, 0, 1, 1});
  f.make_clips(1);
  f.twin_step();
  f.step();
  check_at_most(gradient_error(f.network("visual_encoder"), f.twins.at("visual_")->encoder_weights()), 1e-4,
                "mv and mm do not reach the visual pathway");
  check(has_gradient(f.network("motion_encoder")), "they train the motion pathway");
  // Without cross-modal terms there is no second pathway, and the step is the one of MoCo on pictures.
  Fixture visual({0, 1, 1, 1, 1});
  check(!visual.has("motion_encoder") && visual.method->stored().size() == 1,
        "lambda 0: one pathway, one queue");
  visual.make_clips(1);
  visual.views.resize(2);
  const double expected = visual.twin_step().at("vv");
  const auto found = visual.step();
  check(found.size() == 2, "lambda 0: one loss and the total");
  check_at_most(std::fabs(found.at("loss") - expected), 1e-5 * expected, "lambda 0: the loss of MoCo");
}

void test_chunks() {
  // The loss of a query needs no other query: in chunks only BatchNorm sees less.
  Fixture whole({1, 1, 1, 1, 1}), chunks({1, 1, 1, 1, 1});
  whole.make_clips(1), chunks.make_clips(1);
  const double a = whole.step().at("loss"), b = chunks.step(3).at("loss");
  check(std::fabs(a - b) < 0.1 * a && a != b, "chunks have nearly the same loss");
  check(has_gradient(chunks.network("motion_encoder")), "and train both pathways");
}

video::Batch modist_batch(uint64_t seed) {
  video::Batch batch = make_batch(kClips, 4, 16, seed), motion = make_batch(kClips, 6, 16, seed + 100);
  batch.views.insert(batch.views.end(), motion.views.begin(), motion.views.end());
  batch.samples = kClips;
  const char* const names[4] = {"v1", "v2", "m1", "m2"};
  for (size_t i = 0; i < 4; ++i) batch.views[i].name = names[i];
  return batch;
}

void test_resume() {
  const auto hyper = [](int step) {
    return Value(Object{{"lr", 0.05}, {"momentum", 0.9 + 0.01 * step}, {"shuffle", 10 + step}});
  };
  for (const std::string precision : {"fp32", "bf16"}) {
    const Value spec = session_spec({{"method", "modist"},
                                     {"precision", precision},
                                     {"options", Object{{"queue", kQueue}, {"normGroups", 2}, {"mm", 1}}}});
    Session whole(spec), before(spec);
    for (int i = 0; i < 4; ++i) check(whole.step(modist_batch(i), hyper(i)).finite, "a finite step");
    for (int i = 0; i < 2; ++i) before.step(modist_batch(i), hyper(i));
    Session after(spec);
    after.import_state(before.export_state());
    for (int i = 2; i < 4; ++i) after.step(modist_batch(i), hyper(i));
    check(same_bytes(after.export_state(), whole.export_state()), "resumes exactly in " + precision);
    check(whole.encoder_names() == std::vector<std::string>{"visual", "motion"},
          "both pathways are exported");
  }
}

void test_learning() {
  Session session(
      session_spec({{"method", "modist"}, {"options", Object{{"queue", 16}, {"temperature", 0.2}}}}));
  std::map<std::string, double> first, last;
  for (int i = 0; i < 40; ++i) {
    const auto losses =
        session.step(modist_batch(i % 4), Value(Object{{"lr", 0.03}, {"momentum", 0.9}})).losses;
    for (const auto& [name, value] : losses) {
      if (i < 4) first[name] += value / 4;
      if (i >= 36) last[name] += value / 4;
    }
  }
  for (const auto& [name, value] : first)
    check(last[name] < 0.9 * value,
          name + " falls: " + std::to_string(value) + " to " + std::to_string(last[name]));
}

void test_refused() {
  const auto code = [](const Object& options) {
    return code_of([&] { Session s(session_spec({{"method", "modist"}, {"options", options}})); });
  };
  check(code({{"lambda", -1}}) == "ERR_VSSL_INVALID_ARGUMENT", "a negative lambda is refused");
  check(code({{"symmetric", true}}) == "ERR_VSSL_INVALID_ARGUMENT", "another method's option is refused");
  check(code({{"vv", 0}, {"vm", 0}}) == "ERR_VSSL_INVALID_ARGUMENT", "a visual pathway without a loss");
  Session session(session_spec({{"method", "modist"}, {"options", Object{{"queue", kQueue}}}}));
  check(code_of([&] { session.step(make_batch(4, 4, 16, 1), rate(0.1)); }) == "ERR_VSSL_INVALID_ARGUMENT",
        "a batch without its views is refused");
}

}  // namespace
}  // namespace vssl::engine::testing

int main() {
  using namespace vssl::engine::testing;
  vssl::engine::set_threads(2);
  for (auto* test : {test_losses, test_reach, test_chunks, test_resume, test_learning, test_refused}) {
    try {
      test();
    } catch (const std::exception& e) {
      vssl::check(false, std::string("threw: ") + e.what());
    }
  }
  return vssl::finish();
}
