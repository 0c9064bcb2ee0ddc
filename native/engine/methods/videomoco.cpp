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
// Options: those of momentum contrast; drop (learned, random, none), dropRatio, fill, straightThrough,
// cleanGradients, generatorScale. Each step: momentum, shuffle; drop; dropSeed, for random dropping.
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>

#include "../blocks/frame_scorer.h"
#include "../blocks/momentum_contrast.h"
#include "../blocks/rows.h"
#include "../layers/gradient_scale.h"
#include "../random.h"

namespace vssl::engine {

namespace {

enum class Drop { kLearned, kRandom, kNone };

class VideoMoco : public MomentumContrast {
 public:
  explicit VideoMoco(const MethodPlan& plan) : MomentumContrast(plan) {
    Options& o = plan.options;
    drop_ = o.choice<Drop>("drop",
                           {{"learned", Drop::kLearned}, {"random", Drop::kRandom}, {"none", Drop::kNone}});
    ratio_ = o.number("dropRatio", 0);
    fill_mean_ = o.choice<bool>("fill", {{"zero", false}, {"mean", true}});
    through_frame_ = o.choice<bool>("straightThrough", {{"mask", false}, {"frame", true}});
    clean_gradients_ = o.flag("cleanGradients");
    generator_scale_ = o.number("generatorScale", 0);
    if (drop_ == Drop::kLearned) generator_ = std::make_unique<FrameScorer>(plan.seed, plan.placement);
  }

  std::vector<Network> networks() override {
    auto all = MomentumContrast::networks();
    if (generator_) all.push_back({"generator", &generator_->weights(), Role::kTrained, nullptr, 1});
    return all;
  }

  Inputs inputs() const override {
    Inputs all = MomentumContrast::inputs();
    all.numbers.push_back({"drop", 0, 1, true, drop_ != Drop::kNone});
    all.numbers.push_back(seed_spec("dropSeed", drop_ == Drop::kRandom));
    return all;
  }

  void step(StepContext& context) override {
    drawn_ = 0;
    MomentumContrast::step(context);
  }

 protected:
  void learn_chunk(StepContext& context, const Tensor& clips, const Against& against, double share) override {
    if (drop_ == Drop::kNone || context.number("drop") != 1)
      return MomentumContrast::learn_chunk(context, clips, against, share);
    Tensor scores, q, r;
    {
      const Stopwatch watch(context.times.forward);
      scores = generator_ ? score(context, clips) : random_scores(context, clips);
      q = branch().embed_queries(context, dropped(clips, entering(scores, context.pass())));
      if (generator_) r = branch().look_at_queries(context, clips);
    }
    Tensor loss, adversarial;
    {
      const Stopwatch watch(context.times.loss);
      loss = info_nce(q, against) * share;
      if (generator_) adversarial = (unit_rows(q) - unit_rows(r)).abs().mean() * (-generator_scale_ * share);
    }
    context.report("loss", loss);
    if (generator_) context.report("generator", adversarial);
    const Stopwatch watch(context.times.backward);
    if (generator_) add_gradients(adversarial, generator_->weights(), true);
    if (generator_ && clean_gradients_) {
      add_gradients(loss, {&branch().query().encoder_weights(), &branch().query().head_weights()}, false);
    } else {
      loss.backward();
    }
  }

 private:
  Tensor score(const StepContext& context, const Tensor& clips) const {
    return generator_->forward(clips, context.pass());
  }

  // (N, T), one draw a frame: the highest are dropped, like the generator's.
  Tensor random_scores(const StepContext& context, const Tensor& clips) {
    const CounterRandom random(context.seed("dropSeed"), "dropped frames");
    const Tensor scores = at::empty({clips.size(0), clips.size(2)});
    float* out = scores.mutable_data_ptr<float>();
    const auto first = static_cast<uint64_t>(context.first_sample() * clips.size(2));
    for (int64_t i = 0; i < scores.numel(); ++i)
      out[i] = static_cast<float>(random.uniform(first + drawn_++));
    return scores.to(clips.device());
  }

  Tensor dropped(const Tensor& clips, const Tensor& scores) const {
    const int64_t frames = clips.size(2);
    const int64_t count = std::clamp<int64_t>(std::llround(ratio_ * frames), 0, frames - 1);
    Tensor keep = at::ones_like(scores, scores.options().requires_grad(false));
    keep.scatter_(1, std::get<1>(scores.detach().topk(count, 1)), 0.0);
    const auto over_frames = [&](const Tensor& x) {
      return x.view({x.size(0), 1, frames, 1, 1}).to(clips.scalar_type());
    };
    const Tensor through = scores - scores.detach();
    const Tensor mask = over_frames(through_frame_ ? keep : keep - through);
    Tensor out = clips * mask;
    if (fill_mean_) out = out + clips.mean({1, 3, 4}, true) * (1 - mask);
    return through_frame_ ? out + over_frames(through) : out;
  }

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

  Drop drop_;
  double ratio_, generator_scale_;
  bool fill_mean_, through_frame_, clean_gradients_;
  std::unique_ptr<FrameScorer> generator_;
  uint64_t drawn_ = 0;  // random scores of this rank in this step
};

}  // namespace

VSSL_METHOD(videomoco) { return std::make_unique<VideoMoco>(plan); }

}  // namespace vssl::engine
