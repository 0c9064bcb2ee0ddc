// Tests of native/engine. `engine_test [part of a test's name]`; the last line is "N passed, N failed".
#include <chrono>
#include <thread>

#include "../engine/blocks/heads.h"
#include "../engine/blocks/losses.h"
#include "../engine/optim.h"
#include "../engine/runtime.h"
#include "engine_conv.h"
#include "engine_fixture.h"
#include "engine_methods.h"

namespace vssl::engine::testing {
namespace {

// --- sessions
// ------------------------------------------------------------------------------------------------------

void test_resume() {
  for (const char* precision : {"fp32", "bf16"}) {
    for (const char* optimizer : {"sgd", "lars", "adamw"}) {
      const Value spec = session_spec({{"precision", precision}, {"optimizer", Object{{"name", optimizer}}}});
      Session whole(spec), first(spec),
          second(session_spec(
              {{"precision", precision}, {"optimizer", Object{{"name", optimizer}}}, {"seed", 99}}));
      const auto batch = [](int i) { return make_batch(4, 8, 32, 50 + i); };
      for (int i = 0; i < 6; ++i) whole.step(batch(i), rate(0.02));
      for (int i = 0; i < 3; ++i) first.step(batch(i), rate(0.02));
      second.import_state(first.export_state());
      for (int i = 3; i < 6; ++i) second.step(batch(i), rate(0.02));
      check(same_bytes(whole.export_state(), second.export_state()),
            std::string("3 + 3 steps equal 6 steps, ") + precision + ", " + optimizer);
    }
  }
}

void test_seed() {
  const Value spec = session_spec();
  check(same_bytes(Session(spec).export_state(), Session(spec).export_state()), "same seed, same weights");

  const auto other = Session(session_spec({{"seed", 4}})).export_encoder("encoder");
  check(find(other, "stem.0.weight").data !=
            find(Session(spec).export_encoder("encoder"), "stem.0.weight").data,
        "another seed, other weights");
  const auto w = floats_of(
      find(Encoder(Value(Object{{"arch", "r3d_18"}, {"seed", 5}})).weights(), "layer4.1.conv2.0.weight"));
  double sum = 0, square = 0, tail = 0;
  const double deviation = std::sqrt(2.0 / (512 * 27));
  for (const float v : w) {
    sum += v;
    square += v * v;
    tail += std::fabs(v) > 2 * deviation;
  }
  check_at_most(std::fabs(sum / w.size()) / deviation, 2e-3, "mean of initial weights");
  check_at_most(std::fabs(std::sqrt(square / w.size()) / deviation - 1), 2e-3,
                "deviation of initial weights");
  check_at_most(std::fabs(tail / w.size() - 0.0455), 5e-4, "share of initial weights beyond two deviations");
}

void test_learning() {
  for (const char* method : {"cvrl", "simclr"}) {
    Session session(session_spec({{"method", method}, {"precision", "bf16"}}));
    const auto batch = make_batch(8, 8, 32, 1);
    const double before = session.step(batch, rate(0.02)).losses["loss"];
    StepResult last;
    for (int i = 0; i < 25; ++i) last = session.step(batch, rate(0.02));
    check_at_most(last.losses["loss"], 0.3 * before, std::string(method) + " lowers its loss");
    check(last.grad_norm > 0 && last.backward_seconds > 0, "a step reports norm and times");
  }
}

void test_guard() {
  for (const int accumulate : {1, 2}) {
    Session session(session_spec({{"accumulate", accumulate}}));
    session.step(make_batch(4, 8, 32, 1), rate(0.02));
    const auto before = session.export_state();
    auto bad = make_batch(4, 8, 32, 2);
    bad.views[1].floats()[777] = NAN;
    const StepResult result = session.step(bad, rate(0.02));
    check(!result.finite, "NaN is seen");
    check(same_bytes(before, session.export_state()), "a step that is not finite leaves no trace");
    check(session.step(make_batch(4, 8, 32, 3), rate(0.02)).finite, "and the next one works");
    const auto now = session.export_state();
    auto uneven = make_batch(4, 8, 32, 2);
    uneven.views.pop_back();
    check(code_of([&] { session.step(uneven, rate(0.02)); }) == "ERR_VSSL_INVALID_ARGUMENT",
          "one view is refused");
    check(same_bytes(now, session.export_state()), "an exception leaves no trace");
  }
}

void test_clipping() {
  const auto change = [](const Value& clip) {
    Session session(
        session_spec({{"clipNorm", clip}, {"optimizer", Object{{"name", "sgd"}, {"momentum", 0.0}}}}));
    const auto before = session.export_encoder("encoder");
    const auto head = session.export_state();
    const double norm = session.step(make_batch(4, 8, 32, 1), rate(1)).grad_norm;
    const auto after = session.export_state();
    double sum = 0;
    for (const auto& t : head) {
      if (t.name.rfind("model/", 0) != 0 || t.dtype != "F32" || t.name.find("running") != std::string::npos)
        continue;
      const auto a = floats_of(t), b = floats_of(find(after, t.name));
      for (size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
    }
    return std::make_pair(norm, std::sqrt(sum));
  };
  const auto [norm, moved] = change(Value());
  check_at_most(std::fabs(moved / norm - 1), 1e-3,
                "without clipping a step of rate 1 has the gradient's length");
  const auto [norm2, moved2] = change(Value(0.5));
  check_at_most(std::fabs(norm2 / norm - 1), 1e-6, "the norm is reported before clipping");
  check_at_most(std::fabs(moved2 / 0.5 - 1), 1e-3, "with clipping it has the limit's length");
}

void test_specs() {
  const auto code = [](const Object& changes) { return code_of([&] { Session s(session_spec(changes)); }); };
  const std::string invalid = "ERR_VSSL_INVALID_ARGUMENT";
  check(code({{"method", "nope"}}) == invalid, "unknown method");
  check(code({{"model", Object{{"arch", "nope"}}}}) == invalid, "unknown architecture");
  check(code({{"model", Object{{"arch", "r3d_18"}, {"depth", 3}}}}) == invalid, "unknown model key");
  check(code({{"options", Object{{"tau", 0.1}}}}) == invalid, "unknown method option");
  check(code({{"optimizer", Object{{"name", "sgd"}, {"betas", Value::Array{0.9, 0.9}}}}}) == invalid,
        "foreign optimiser key");
  check(code({{"extra", 1}}) == invalid, "unknown session key");
  check(code({{"precision", "fp16"}}) == invalid, "unknown precision");
  check(code({{"accumulate", 0}}) == invalid, "accumulate 0");
  if (!info().cuda_available) check(code({{"device", "cuda"}}) == "ERR_VSSL_CUDA_UNAVAILABLE", "no cuda");
  Session session(session_spec());
  check(session.encoder_names() == std::vector<std::string>{"encoder"}, "encoder names");
  check(code_of([&] { session.export_encoder("other"); }) == invalid, "unknown encoder");
  check(code_of([&] { session.embed(make_batch(1, 8, 32, 1), "z", "encoder"); }) == invalid, "unknown view");
  auto state = session.export_state();
  state.pop_back();
  check(code_of([&] { session.import_state(state); }) == "ERR_VSSL_WEIGHTS", "a missing tensor is refused");
  check(session.stats().live_tensors > 50 && session.stats().host_bytes > 1 << 20, "memory counters");
  // The same code from a thread that has never touched libtorch.
  bool finite = false;
  std::thread([&] { finite = session.step(make_batch(2, 8, 32, 1), rate(0.01)).finite; }).join();
  check(finite, "a step on another thread");
}

// --- accumulation
// --------------------------------------------------------------------------------------------------

void test_accumulate_without_norm() {
  const auto after = [](int accumulate) {
    Session session(session_spec({{"accumulate", accumulate},
                                  {"model", Object{{"arch", "c3d"}, {"width", 0.0625}, {"batchNorm", false}}},
                                  {"options", Object{{"headLayers", 0}}}}));
    const auto result = session.step(make_batch(5, 8, 32, 9), rate(0.1));
    return std::make_pair(result.losses.at("loss"), session.export_state());
  };
  const auto [loss, truth] = after(1);
  for (const int k : {2, 3, 5, 9}) {
    const auto [chunked_loss, chunked] = after(k);
    check_at_most(std::fabs(chunked_loss / loss - 1), 1e-5, "loss with accumulate " + std::to_string(k));
    double worst = 0;
    for (const auto& t : truth) {
      if (t.name.rfind("optim/", 0) != 0) continue;  // after one step the momentum is the gradient
      const auto a = floats_of(t), b = floats_of(find(chunked, t.name));
      double off = 0, size = 0;
      for (size_t i = 0; i < a.size(); ++i) off += (a[i] - b[i]) * (a[i] - b[i]), size += a[i] * a[i];
      worst = worse(worst, std::sqrt(off / std::max(size, 1e-20)));
    }
    check_at_most(worst, 1e-4, "gradients with accumulate " + std::to_string(k));
  }
}

// With BatchNorm each chunk is normalised on its own: the gradients must be those of one graph made of the
// chunks.
void test_accumulate_with_norm() {
  MethodAlone ours("simclr", {}), reference("simclr", {});
  const auto batch = make_batch(4, 8, 32, 9);
  ours.views = borrow(batch.views, at::kCPU);
  const auto losses = ours.step(2);

  // The reference: one step for each chunk's graph, with the gradient of the whole loss through both at once.
  const VideoNet& encoder = reference.encoder();
  Pass pass;
  pass.train = pass.update_stats = true;
  ProjectionHead head({encoder.dim(), 0, 2, 128, true, false, true, 0.1}, 3, Placement{});
  std::vector<Tensor> a, b;
  for (const int64_t begin : {0, 2}) {
    const Tensor clips = at::cat(
        {ours.views[0].data.slice(0, begin, begin + 2), ours.views[1].data.slice(0, begin, begin + 2)});
    const Tensor z =
        head.forward(encoder.embed(clips.contiguous(at::MemoryFormat::ChannelsLast3d), pass), pass);
    a.push_back(z.slice(0, 0, 2));
    b.push_back(z.slice(0, 2));
  }
  const Tensor loss = nt_xent_loss(at::cat({at::cat(a), at::cat(b)}), 0.1);
  loss.backward();
  check(losses.at("loss") == loss.item<double>(), "loss of chunks with BatchNorm");
  double worst = 0;
  bool buffers = true, once = true;
  const auto& found = ours.encoder().weights().entries();
  const auto& expected = encoder.weights().entries();
  for (size_t i = 0; i < found.size(); ++i) {
    if (found[i].trainable)
      worst = worse(worst, distance(found[i].tensor.grad(), expected[i].tensor.grad()));
    else
      buffers = buffers && at::equal(found[i].tensor, expected[i].tensor);
    if (ends_with(found[i].name, "num_batches_tracked")) once = once && found[i].tensor.item<int64_t>() == 2;
  }
  check_at_most(worst, 1e-4, "gradients of chunks with BatchNorm");
  check(buffers && once, "running statistics move once for each chunk");
}

// --- losses and optimisers
// -----------------------------------------------------------------------------------------

void test_loss() {
  const Tensor z = noise({12, 16}, "z").requires_grad_();
  const Tensor loss = nt_xent_loss(z, 0.2) * 3;
  loss.backward();
  const Tensor x = z.detach().to(at::kDouble).requires_grad_();
  const Tensor u = x / x.norm(2, {1}, true);
  const Tensor s = (at::mm(u, u.t()) / 0.2).masked_fill(at::eye(12).to(at::kBool), -INFINITY);
  const Tensor positive = (u.slice(0, 0, 6) * u.slice(0, 6)).sum(1) / 0.2;
  const Tensor truth = (at::logsumexp(s, {1}).mean() - positive.mean()) * 3;
  truth.backward();
  check_at_most(std::fabs(loss.item<double>() / truth.item<double>() - 1), 1e-5, "NT-Xent value");
  check_at_most(distance(z.grad(), x.grad().to(at::kFloat)), 1e-5, "NT-Xent gradient");
}

// Two steps of each optimiser on one matrix and one vector, against the formulas in double.
void test_optimisers() {
  struct Scalar {
    double p, g, v = 0, m = 0;
  };
  const auto run = [](const Object& settings,
                      const std::function<void(std::vector<Scalar>&, bool, int)>& formula) {
    for (const bool decay : {true, false}) {
      const Tensor p = noise(decay ? at::IntArrayRef{5, 7} : at::IntArrayRef{35}, "p").requires_grad_();
      std::vector<Scalar> truth(35);
      for (int i = 0; i < 35; ++i) truth[i].p = p.detach().flatten()[i].item<double>();
      const auto optimizer = create_optimizer(Value(settings), {{"p", p, decay}});
      for (int step = 1; step <= 3; ++step) {
        const Tensor g = noise(p.sizes(), "g" + std::to_string(step));
        p.mutable_grad() = g.clone();
        optimizer->step(0.1, {0.5});
        for (int i = 0; i < 35; ++i) truth[i].g = 0.5 * g.flatten()[i].item<double>();
        formula(truth, decay, step);
      }
      double worst = 0;
      for (int i = 0; i < 35; ++i)
        worst = worse(worst, std::fabs(p.detach().flatten()[i].item<double>() - truth[i].p));
      check_at_most(worst, 2e-6,
                    settings.at("name").as_string("name") + (decay ? " with decay" : " without decay"));
    }
  };
  for (const bool nesterov : {false, true})
    run({{"name", "sgd"}, {"momentum", 0.9}, {"weightDecay", 0.3}, {"nesterov", nesterov}},
        [&](std::vector<Scalar>& all, bool decay, int) {
          for (Scalar& s : all) {
            const double g = s.g + (decay ? 0.3 : 0) * s.p;
            s.v = 0.9 * s.v + g;
            s.p -= 0.1 * (nesterov ? g + 0.9 * s.v : s.v);
          }
        });
  run({{"name", "lars"}, {"momentum", 0.9}, {"weightDecay", 0.3}, {"trustCoefficient", 0.01}},
      [](std::vector<Scalar>& all, bool decay, int) {
        double weight = 0, gradient = 0;
        for (Scalar& s : all) {
          s.g += (decay ? 0.3 : 0) * s.p;
          weight += s.p * s.p;
          gradient += s.g * s.g;
        }
        const double trust = decay ? 0.01 * std::sqrt(weight / gradient) : 1;
        for (Scalar& s : all) {
          s.v = 0.9 * s.v + 0.1 * trust * s.g;
          s.p -= s.v;
        }
      });
  run({{"name", "adamw"}, {"betas", Value::Array{0.8, 0.95}}, {"weightDecay", 0.3}},
      [](std::vector<Scalar>& all, bool decay, int step) {
        for (Scalar& s : all) {
          s.m = 0.8 * s.m + 0.2 * s.g;
          s.v = 0.95 * s.v + 0.05 * s.g * s.g;
          s.p *= 1 - 0.1 * (decay ? 0.3 : 0);
          s.p -=
              0.1 * (s.m / (1 - std::pow(0.8, step))) / (std::sqrt(s.v / (1 - std::pow(0.95, step))) + 1e-8);
        }
      });
}

// A network whose first gradient comes late in a run starts as if the run began there.
void test_late_gradient() {
  const Tensor early = noise({35}, "p").requires_grad_(), late = early.detach().clone().requires_grad_();
  const auto optimizer = create_optimizer(Value(Object{{"name", "adamw"}, {"weightDecay", 0.0}}),
                                          {{"early", early, false, 0}, {"late", late, false, 1}});
  const auto step = [&](const Tensor& p, int number) {
    const Tensor g = noise({35}, "g" + std::to_string(number));
    p.mutable_grad() = p.is_same(late) ? 100 * g : g;
  };
  std::vector<Tensor> expected;
  for (int i = 0; i < 3; ++i) {
    step(early, i);
    optimizer->step(0.1, {1, 1e-6});
    expected.push_back(early.detach().clone());
  }
  check(at::equal(late.detach(), noise({35}, "p")), "without a gradient nothing moves");
  double worst = 0;
  for (int i = 0; i < 3; ++i) {
    early.mutable_grad().reset();
    step(late, i);
    optimizer->step(0.1, {1e-6, 0.01});
    worst = worse(worst, (late - expected[i]).abs().max().item<double>());
  }
  check_at_most(worst, 1e-6, "AdamW counts the updates of each parameter, scales those of each objective");
  early.mutable_grad() = at::full({35}, 2.0);
  late.mutable_grad() = at::full({35}, 3.0);
  const Tensor squares = gradient_squares({{"early", early, false, 0}, {"late", late, false, 1}});
  check_at_most(
      worse(std::fabs(squares[0].item<double>() - 4 * 35), std::fabs(squares[1].item<double>() - 9 * 35)),
      1e-4, "each objective has its own norm");
}

// --- encoders
// ------------------------------------------------------------------------------------------------------

void test_encoder() {
  const Value spec(Object{{"arch", "r3d_10"}, {"width", 0.125}, {"seed", 8}});
  Encoder encoder(spec), copy(Value(Object{{"arch", "r3d_10"}, {"width", 0.125}, {"seed", 1}}));
  const auto batch = make_batch(3, 8, 32, 1, 1);
  copy.load_weights(encoder.weights());
  check(copy.embed(batch, "view1") == encoder.embed(batch, "view1"), "loaded weights embed alike");
  check(
      static_cast<int64_t>(encoder.embed(batch, "view1").size()) == 3 * encoder.dim() && encoder.dim() == 64,
      "sizes");
  // forward() takes (N, 3, T, H, W)
  std::vector<float> planes(3 * 3 * 8 * 32 * 32);
  for (int64_t n = 0; n < 3; ++n)
    for (int64_t c = 0; c < 3; ++c)
      for (int64_t i = 0; i < 8 * 32 * 32; ++i)
        planes[(n * 3 + c) * 8 * 32 * 32 + i] = batch.views[0].floats()[(n * 8 * 32 * 32 + i) * 3 + c];
  check(encoder.forward(planes.data(), 3, 8, 32, 32) == encoder.embed(batch, "view1"),
        "forward equals embed in fp32");

  // Calibration: the mean over batches of each batch's statistics, here those of the first layer.
  const auto before = copy.embed(batch, "view1");
  copy.calibrate_begin();
  for (const int seed : {1, 2, 3}) copy.calibrate(make_batch(3, 8, 32, seed, 1), "view1");
  check(code_of([&] { copy.embed(batch, "view1"); }) == "ERR_VSSL_INVALID_ARGUMENT",
        "no embedding while calibrating");
  copy.calibrate_end();
  check(copy.embed(batch, "view1") != before, "calibration changes embeddings");
  std::vector<double> mean(8);
  for (const int seed : {1, 2, 3}) {
    Encoder one(spec);
    one.calibrate_begin();
    one.calibrate(make_batch(3, 8, 32, seed, 1), "view1");
    one.calibrate_end();
    const auto stats = floats_of(find(one.weights(), "stem.1.running_mean"));
    for (size_t i = 0; i < 8; ++i) mean[i] += stats[i] / 3;
  }
  const auto stats = floats_of(find(copy.weights(), "stem.1.running_mean"));
  double off = 0;
  for (size_t i = 0; i < 8; ++i) off = std::max(off, std::fabs(mean[i] - stats[i]));
  check_at_most(off, 1e-6, "calibrated statistics are the mean over batches");

  auto weights = encoder.weights();
  weights[0].shape[0] += 1;
  check(code_of([&] { copy.load_weights(weights); }) == "ERR_VSSL_WEIGHTS", "a wrong shape is refused");
  weights = encoder.weights();
  weights.push_back({"fc.weight", "F32", {1}, {0, 0, 0, 0}});
  check(code_of([&] { copy.load_weights(weights); }) == "ERR_VSSL_WEIGHTS", "an unknown tensor is refused");
  check(code_of([] {
          Encoder e(Value(Object{{"arch", "c3d"}, {"width", 0.1}}));
          e.embed(make_batch(1, 4, 32, 1, 1), "view1");
        }) == "ERR_VSSL_INVALID_ARGUMENT",
        "c3d refuses clips that are too short");
}

void test_models() {
  const std::map<std::string, int64_t> parameters{
      {"r3d_10", 14361792}, {"r3d_18", 33166272},      {"r3d_34", 63475904}, {"r3d_50", 31672128},
      {"mc3_18", 11490240}, {"r2plus1d_18", 31300125}, {"c3d", 27658688}};
  check(architectures().size() == parameters.size(), "the architectures of the table");
  for (const ArchitectureInfo& info : architectures()) {
    const std::string& name = info.name;
    const auto net = create_model(Value(Object{{"arch", name}}), 0, Placement{});
    check(net->weights().parameter_count() == parameters.at(name),
          name + " has " + std::to_string(net->weights().parameter_count()) + " parameters");
    check(net->dim() == (name == "r3d_50" ? 2048 : 512), name + " dimension");
    const auto thin = create_model(Value(Object{{"arch", name}, {"width", 0.25}}), 0, Placement{});
    check(thin->dim() == net->dim() / 4, name + " at width 0.25");
  }
}

void test_linear_fit() {
  // Three classes around three directions, and the loss against a few steps of plain descent from the result.
  const int64_t n = 240, dim = 12, classes = 3;
  std::vector<float> x(n * dim);
  std::vector<int32_t> y(n);
  const CounterRandom random(1, "fit");
  for (int64_t i = 0; i < n; ++i) {
    y[i] = static_cast<int32_t>(i % classes);
    for (int64_t d = 0; d < dim; ++d)
      x[i * dim + d] = static_cast<float>(random.normal(i * dim + d) + (d == y[i] ? 2.5 : 0) + 3);
  }
  const Value options(Object{{"weightDecay", 1e-3}, {"normalize", false}});
  const auto fit = fit_linear(x.data(), y.data(), 160, x.data() + 160 * dim, 80, dim, classes, options);
  int64_t right = 0;
  for (int64_t i = 0; i < 80; ++i) {
    const float* s = fit.scores.data() + i * classes;
    right += std::max_element(s, s + classes) - s == y[160 + i];
  }
  check(right >= 68, "linear fit: " + std::to_string(right) + " of 80 right");
  check(fit.train_accuracy > 0.85 && fit.iterations > 3, "linear fit on its training rows");
  const auto again = fit_linear(x.data(), y.data(), 160, x.data() + 160 * dim, 80, dim, classes, options);
  check(again.scores == fit.scores, "linear fit is deterministic");
  const auto longer =
      fit_linear(x.data(), y.data(), 160, nullptr, 0, dim, classes,
                 Value(Object{{"weightDecay", 1e-3}, {"normalize", false}, {"tolerance", 1e-9}}));
  check_at_most(std::fabs(longer.loss - fit.loss), 1e-8, "linear fit converged");
  check(code_of([&] {
          y[3] = 7;
          fit_linear(x.data(), y.data(), 160, nullptr, 0, dim, classes, options);
        }) == "ERR_VSSL_INVALID_ARGUMENT",
        "a label out of range is refused");
}

void test_self() { check(self_test().empty(), "self test: " + self_test()); }

struct Test {
  const char* name;
  void (*run)();
};
constexpr Test kTests[] = {
    {"models", test_models},
    {"seed", test_seed},
    {"specs", test_specs},
    {"loss", test_loss},
    {"optimisers", test_optimisers},
    {"late gradient", test_late_gradient},
    {"resume", test_resume},
    {"guard", test_guard},
    {"clipping", test_clipping},
    {"learning", test_learning},
    {"accumulate without norm", test_accumulate_without_norm},
    {"accumulate with norm", test_accumulate_with_norm},
    {"encoder", test_encoder},
    {"linear fit", test_linear_fit},
    {"self test", test_self},
    {"torchvision fixture", test_fixture},
    {"torchvision live", test_live},
    {"conv gradients", test_conv_gradients},
};

}  // namespace
}  // namespace vssl::engine::testing

int main(int argc, char** argv) {
  using namespace vssl::engine::testing;
  const std::string filter = argc > 1 ? argv[1] : "";
  vssl::engine::set_threads(2);
  for (const auto& test : kTests) {
    if (std::string(test.name).find(filter) == std::string::npos) continue;
    const auto start = std::chrono::steady_clock::now();
    try {
      test.run();
    } catch (const std::exception& e) {
      vssl::check(false, std::string(test.name) + " threw: " + e.what());
    }
    std::printf("%s (%.1f s)\n", test.name,
                std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    std::fflush(stdout);
  }
  return vssl::finish();
}
