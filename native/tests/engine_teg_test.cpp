// TEG against its formulas: steps that find each other in time, and means that do.
#include "../engine/blocks/heads.h"
#include "engine_cases.h"
#include "engine_predictions_twin.h"
#include "engine_resume.h"

namespace vssl::engine::testing {
namespace {

constexpr int64_t kClips = 5, kFrames = 16, kSteps = 2, kWide = 10;

// A method outside a session, and the networks that it begins with. Of 16 frames r3d_10 makes 2 steps.
struct Fixture : MethodAlone {
  explicit Fixture(const Object& changes = {})
      : MethodAlone("teg", merged({{"headDim", kWide}, {"headHidden", 12}, {"temperature", 0.3}}, changes)) {
    encoder_twin = create_model(model, seed, Placement{});
    HeadOptions head;
    head.in = encoder_twin->dim();
    head.layers = 1;
    head.hidden = 12;
    head.out = kWide;
    fine = std::make_unique<ProjectionHead>(head, seed, Placement{});
    persistent = std::make_unique<ProjectionHead>(head, seed + 1, Placement{});
    views = {{"view1", drawn_clips({kClips, 3, kFrames, 16, 16}, 1), {}},
             {"view2", drawn_clips({kClips, 3, kFrames, 16, 16}, 2), {}}};
    const video::ViewBuffer buffer = drawn_times(kClips, kFrames, 3);
    times = at::from_blob(buffer.data.get(), {kClips, 2, kFrames}).clone();
    side = {{"times", times, {}}};
  }

  std::unique_ptr<VideoNet> encoder_twin;
  std::unique_ptr<ProjectionHead> fine, persistent;
  Tensor times;
};

// The step of the long clip that is nearest to a step of the short one, by means of their frames' times.
int64_t nearest_step(const Tensor& times, int64_t sample, int64_t step) {
  const auto mean_time = [&](int64_t clip, int64_t s) {
    double sum = 0;
    for (int64_t t = 0; t < kFrames / kSteps; ++t)
      sum += times[sample][clip][s * kFrames / kSteps + t].item<double>();
    return sum / (kFrames / kSteps);
  };
  int64_t best = 0;
  for (int64_t j = 1; j < kSteps; ++j)
    if (std::fabs(mean_time(1, step) - mean_time(0, j)) < std::fabs(mean_time(1, step) - mean_time(0, best)))
      best = j;
  return best;
}

// The fine loss from rows (clips, steps, D) of short and of long clips, step by step.
Tensor fine_twin(const Tensor& shorts, const Tensor& longs, const Tensor& times, double tau) {
  const auto unit = [](const Tensor& x) { return x / x.norm(2, {-1}, true); };
  const Tensor q = unit(shorts.to(at::kDouble)), k = unit(longs.to(at::kDouble));
  Tensor sum = at::zeros({}, at::kDouble);
  for (int64_t i = 0; i < kClips; ++i)
    for (int64_t s = 0; s < kSteps; ++s) {
      const Tensor e = ((k * q[i][s]).sum(2) / tau).exp();
      sum = sum - (e[i][nearest_step(times, i, s)] / e.sum()).log();
    }
  return sum / static_cast<double>(kClips * kSteps);
}

void test_step() {
  for (const auto& [fine, persistent] : {std::pair<double, double>{0.4, 0.8}, {1, 0}, {0, 1}}) {
    const std::string what = "weights " + std::to_string(fine) + ", " + std::to_string(persistent) + ": ";
    Fixture f({{"fine", fine}, {"persistent", persistent}});
    const auto losses = f.step();

    Pass pass;
    pass.train = true;
    const Tensor map = f.encoder_twin->features(at::cat({f.views[0].data, f.views[1].data}), pass);
    check(map.size(2) == kSteps, "two steps in time");
    const Tensor steps = map.mean({3, 4}).transpose(1, 2);  // (2n, T', C)
    Tensor expected = at::zeros({}, at::kDouble), at_steps;
    if (fine > 0) {
      const Tensor rows =
          f.fine->forward(steps.reshape({2 * kClips * kSteps, -1}), pass).view({2 * kClips, kSteps, kWide});
      at_steps = fine_twin(rows.slice(0, kClips), rows.slice(0, 0, kClips), f.times, 0.3);
      expected = expected + fine * at_steps;
    }
    if (persistent > 0)
      expected = expected + persistent * nt_xent_twin(f.persistent->forward(steps.mean({1}), pass), 0.3);
    expected.backward();

    check_at_most(std::fabs(losses.at("loss") / expected.item<double>() - 1), 1e-5, what + "loss");
    if (fine > 0)
      check_at_most(std::fabs(losses.at("fine") - at_steps.item<double>()), 1e-5, what + "the fine loss");
    check_at_most(error_of(gradients_of(f.encoder().weights()), gradients_of(f.encoder_twin->weights())),
                  1e-4, what + "the encoder's gradient");
    check_at_most(error_of(gradients_of(f.network("fine")), gradients_of(f.fine->weights())), 1e-4,
                  what + "the fine head's gradient");
    check_at_most(error_of(gradients_of(f.network("persistent")), gradients_of(f.persistent->weights())),
                  1e-4, what + "the persistent head's gradient");
  }
}

// The times decide which step is the positive: those of a short clip in the long one's second half are not
// those of one in its first.
void test_times() {
  Fixture early, late;
  early.side[0].data = early.times.clone();
  late.side[0].data = late.times.clone();
  for (int64_t t = 0; t < kFrames; ++t) {
    early.side[0].data.select(1, 1).select(1, t).fill_(0.01 * static_cast<double>(t));
    late.side[0].data.select(1, 1).select(1, t).fill_(5 + 0.01 * static_cast<double>(t));
  }
  const auto a = early.step(), b = late.step();
  check(std::fabs(a.at("fine") - b.at("fine")) > 1e-4, "other times, other positives");
}

void test_refusals() {
  const Case c{"teg", "teg", {{"headDim", 16}}};
  Session session(session_spec({{"method", "teg"}, {"options", c.options}}));
  video::Batch few = make_batch(4, 8, 16, 1);
  few.side = {drawn_times(4, 8, 1)};
  check_throws("ERR_VSSL_INVALID_ARGUMENT", "model.timeStrides", [&] { session.step(few, rate(0.1)); });
  const Object strided{{"arch", "r3d_10"}, {"width", 0.125}, {"timeStrides", Value::Array{1, 2, 1, 1}}};
  Session kept(session_spec({{"method", "teg"}, {"options", c.options}, {"model", strided}}));
  check(kept.step(few, rate(0.01)).finite, "with fewer strides it takes them");
  const auto refused = [](const Object& options, const std::string& part) {
    check_throws("ERR_VSSL_INVALID_ARGUMENT", part, [&] {
      Session s(session_spec({{"method", "teg"}, {"options", options}}));
    });
  };
  refused({{"fine", 0}, {"persistent", 0}}, "both losses");
  refused({{"fine", -1}}, "fine");
  for (const Value::Array& bad : {Value::Array{1, 2}, Value::Array{1, 2, 3, 1}})
    check_throws("ERR_VSSL_INVALID_ARGUMENT", "timeStrides", [&] {
      create_model(Value(Object{{"arch", "r3d_18"}, {"width", 0.125}, {"timeStrides", bad}}), 1, Placement{});
    });
}

// Strides in time change the steps and neither the names nor the shapes of what is learnt, but where a layer
// had no stride at all.
void test_strides() {
  Pass pass;
  const Tensor clips = drawn_clips({1, 3, 8, 16, 16}, 1);
  const auto steps_of = [&](const Value::Array& strides, const std::string& arch) {
    const auto net = create_model(Value(Object{{"arch", arch}, {"width", 0.125}, {"timeStrides", strides}}),
                                  1, Placement{});
    return net->steps(clips, pass).size(1);
  };
  for (const std::string arch : {"r3d_10", "r3d_18", "r2plus1d_18"}) {
    check(steps_of({1, 2, 2, 2}, arch) == 1, arch + ": as torchvision");
    check(steps_of({1, 1, 1, 1}, arch) == 8, arch + ": all steps");
    check(steps_of({1, 2, 1, 1}, arch) == 4, arch + ": one stride");
    check(steps_of({2, 2, 1, 1}, arch) == 2, arch + ": in the first layer too");
  }
  const auto entries = [](const Value::Object& spec) {
    const auto net = create_model(Value(spec), 1, Placement{});
    std::vector<std::string> out;
    for (const auto& e : net->weights().entries()) out.push_back(e.name + shape_text(e.tensor.sizes()));
    return out;
  };
  const Object plain{{"arch", "r3d_18"}, {"width", 0.125}};
  check(entries(plain) == entries(merged(plain, {{"timeStrides", Value::Array{1, 1, 2, 1}}})),
        "the same weights with other strides");
  check(entries(plain).size() < entries(merged(plain, {{"timeStrides", Value::Array{2, 1, 1, 1}}})).size(),
        "a projection where the first layer strides");
}

void test_resume_and_learning() {
  const Case c{"teg", "teg", {{"headDim", 16}}};
  const auto batch = [&](uint64_t seed) { return batch_of(c, seed); };
  const auto numbers = [](int) { return rate(0.05); };
  check_exact_resume(c.method, c.options, batch, numbers);
  check_learning(c.method, c.options, batch, numbers);
}

}  // namespace
}  // namespace vssl::engine::testing

int main() {
  using namespace vssl::engine::testing;
  vssl::engine::set_threads(2);
  for (auto* test : {test_step, test_times, test_refusals, test_strides, test_resume_and_learning}) {
    try {
      test();
    } catch (const std::exception& e) {
      vssl::check(false, std::string("threw: ") + e.what());
    }
  }
  return vssl::finish();
}
