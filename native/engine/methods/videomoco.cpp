// VideoMoCo (Pan et al., "VideoMoCo: Contrastive Video Representation Learning with Temporally Adversarial
// Examples", CVPR 2021): MoCo whose queries have lost frames, and whose old keys count less.
//
// The generator G scores the T frames of a query clip x (softmax); the k = dropRatio T frames of the highest
// scores are dropped, which is what G(x) is. With q = f_q(G(x)), r = f_q(x), both L2-normalised, of dimension
// D:
//
//   f_q minimises  InfoNCE of q                        (r is not in it)
//   G   minimises  -100 mean |q - r|                   over batch and dimensions
//
// Each takes its own gradient only. `cleanGradients` false gives G the gradient of InfoNCE as well, as the
// authors' code does. The choice of frames has no derivative; G's goes straight through it:
//   mask   the clip is x times a mask m of zeros and ones, and dm_t/ds_t is taken to be -1
//   frame  ds_t gets the sum of dL/dG(x)_t over all values of frame t, as in the authors' code
// A dropped frame is zeros (`fill` zero), or its own mean over channels and area (mean, the authors' code).
// Frames are dropped in steps that say drop 1; before, this is MoCo with decay.
//
// Options: those of moco with decay 0.99999, decayOn logit, ageUnit enqueue; drop learned (random, none),
// dropRatio 0.25, fill zero, straightThrough mask, cleanGradients true, generatorScale 100. Each step: those
// of moco; drop; dropSeed, for random dropping.
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>

#include "../errors.h"
#include "../blocks/frame_scorer.h"
#include "../random.h"
#include "moco.h"

namespace vssl::engine {

namespace {

enum class Drop { kLearned, kRandom, kNone };

struct DropOptions {
  Drop drop = Drop::kLearned;
  double ratio = 0.25;
  bool fill_mean = false;
  bool through_frame = false;
  bool clean_gradients = true;
  double generator_scale = 100;
};

class VideoMoco : public Moco {
 public:
  VideoMoco(const MethodPlan& plan, MocoOptions options, DropOptions drop)
      : Moco(plan, std::move(options)), drop_(drop) {
    if (drop_.drop == Drop::kLearned) generator_ = std::make_unique<FrameScorer>(plan.seed, plan.placement);
  }

  std::vector<Network> networks() override {
    auto all = Moco::networks();
    if (generator_) all.push_back({"generator", &generator_->weights(), true, 1});
    return all;
  }

  std::vector<HyperKey> hyper_keys() const override {
    auto keys = Moco::hyper_keys();
    keys.push_back({"drop", 0, 1, true, drop_.drop != Drop::kNone});
    keys.push_back(seed_key("dropSeed", drop_.drop == Drop::kRandom));
    return keys;
  }

  void step(StepContext& context) override {
    drawn_ = 0;
    Moco::step(context);
  }

 protected:
  void learn_chunk(StepContext& context, const Tensor& clips, const Tensor& keys, double share) override {
    const bool drops = drop_.drop != Drop::kNone && context.hyper["drop"].as_number("hyper.drop") == 1;
    if (!drops) return Moco::learn_chunk(context, clips, keys, share);
    Tensor scores, q, r;
    {
      const Stopwatch watch(context.times.forward);
      scores = generator_ ? score(context, clips) : random_scores(context, clips);
      q = embed_queries(context, dropped(clips, scores));
      if (generator_) r = look_at_queries(context, clips);
    }
    Tensor loss, adversarial;
    {
      const Stopwatch watch(context.times.loss);
      loss = info_nce(q, keys) * share;
      if (generator_)
        adversarial = (unit_rows(q) - unit_rows(r)).abs().mean() * (-drop_.generator_scale * share);
    }
    context.losses["loss"] += loss.item<double>();
    if (generator_) context.losses["generator"] += adversarial.item<double>();
    const Stopwatch watch(context.times.backward);
    if (generator_) add_gradients(adversarial, generator_->weights(), true);
    if (generator_ && drop_.clean_gradients) {
      add_gradients(loss, {&query().encoder_weights(), &query().head_weights()}, false);
    } else {
      loss.backward();
    }
  }

 private:
  Tensor score(const StepContext& context, const Tensor& clips) const {
    Pass pass;
    pass.train = pass.update_stats = true;
    pass.compute = context.compute;
    return generator_->forward(clips, pass);
  }

  // (N, T), one draw a frame: the highest are dropped, like the generator's.
  Tensor random_scores(const StepContext& context, const Tensor& clips) {
    const CounterRandom random(static_cast<uint64_t>(context.hyper["dropSeed"].as_number("hyper.dropSeed")),
                               "dropped frames");
    const Tensor scores = at::empty({clips.size(0), clips.size(2)});
    float* out = scores.mutable_data_ptr<float>();
    for (int64_t i = 0; i < scores.numel(); ++i) out[i] = static_cast<float>(random.uniform(drawn_++));
    return scores.to(clips.device());
  }

  Tensor dropped(const Tensor& clips, const Tensor& scores) const {
    const int64_t frames = clips.size(2);
    const int64_t count = std::clamp<int64_t>(std::llround(drop_.ratio * frames), 0, frames - 1);
    Tensor keep = at::ones_like(scores, scores.options().requires_grad(false));
    keep.scatter_(1, std::get<1>(scores.detach().topk(count, 1)), 0.0);
    const auto over_frames = [&](const Tensor& x) {
      return x.view({x.size(0), 1, frames, 1, 1}).to(clips.scalar_type());
    };
    const Tensor through = scores - scores.detach();
    const Tensor mask = over_frames(drop_.through_frame ? keep : keep - through);
    Tensor out = clips * mask;
    if (drop_.fill_mean) out = out + clips.mean({1, 3, 4}, true) * (1 - mask);
    return drop_.through_frame ? out + over_frames(through) : out;
  }

  static Tensor unit_rows(const Tensor& x) { return x / x.norm(2, {1}, true).clamp_min(1e-12); }

  // Adds d loss / d parameters of these networks, and of nothing else, to their gradients.
  static void add_gradients(const Tensor& loss, const std::vector<Weights*>& networks, bool keep_graph) {
    std::vector<Tensor> parameters;
    for (Weights* weights : networks)
      for (const auto& entry : weights->entries())
        if (entry.trainable) parameters.push_back(entry.tensor);
    const auto gradients = torch::autograd::grad({loss}, parameters, {}, keep_graph, false, true);
    for (size_t i = 0; i < parameters.size(); ++i) {
      if (!gradients[i].defined()) continue;
      Tensor& sum = parameters[i].mutable_grad();
      sum = sum.defined() ? sum + gradients[i] : gradients[i];
    }
  }
  static void add_gradients(const Tensor& loss, Weights& network, bool keep_graph) {
    add_gradients(loss, std::vector<Weights*>{&network}, keep_graph);
  }

  DropOptions drop_;
  std::unique_ptr<FrameScorer> generator_;
  uint64_t drawn_ = 0;  // random scores of this step
};

}  // namespace

VSSL_METHOD(videomoco) {
  MocoOptions defaults;
  defaults.temperature = 0.07;
  defaults.queue.decay = 0.99999;
  defaults.head.layers = 0;
  const Value& options = plan.options;
  const std::vector<std::string> extra{"drop",           "dropRatio",     "fill", "straightThrough",
                                       "cleanGradients", "generatorScale"};
  MocoOptions moco = read_moco(options, defaults, extra);
  DropOptions drop;
  drop.drop =
      choice_in(options, "drop",
                {{"learned", Drop::kLearned}, {"random", Drop::kRandom}, {"none", Drop::kNone}}, drop.drop);
  drop.ratio = number_in(options, "dropRatio", drop.ratio, 0, 1);
  drop.fill_mean = choice_in(options, "fill", {{"zero", false}, {"mean", true}}, drop.fill_mean);
  drop.through_frame =
      choice_in(options, "straightThrough", {{"mask", false}, {"frame", true}}, drop.through_frame);
  drop.clean_gradients = options.get_bool("cleanGradients", drop.clean_gradients);
  drop.generator_scale = number_in(options, "generatorScale", drop.generator_scale, 0, 1e6);
  return std::make_unique<VideoMoco>(plan, std::move(moco), drop);
}

}  // namespace vssl::engine
