// CSTP (Zhang et al., "Contrastive Spatio-Temporal Pretext Learning for Self-supervised Video
// Representation", AAAI 2022): two clips of a video whose overlaps, speed and turns the planner has drawn.
// With f the pooled features of the online encoder, p = predictor(projector(f)), k the momentum copy's
// projections of the same clips, cos of L2-normalised rows:
//
//   L = contrast * ( (2 - 2 cos(p_1, k_2)) + (2 - 2 cos(p_2, k_1)) )   BYOL (Grill et al., NeurIPS 2020)
//     + the losses of predictions.h
//
// Where there is a prediction `rotation`, its targets are quarter turns of the clips, made here: a turn is
// that of the whole clip, after its crop. Both clips pass each network in one batch.
//
// Options: contrast (a weight; 0: neither predictor nor copy is used), the projector's, whose widths are the
// predictor's too, and those of predictions.h. Each step: momentum.
#include "../blocks/momentum_pair.h"
#include "../blocks/predictions.h"
#include "../blocks/rows.h"

namespace vssl::engine {

namespace {

constexpr const char* kTurns = "rotation";

class Cstp : public Method {
 public:
  explicit Cstp(const MethodPlan& plan) : Cstp(plan, read_head(plan.options)) {}

  std::vector<Network> networks() override {
    std::vector<Network> all = pair_.networks();
    all.push_back({"predictor", &predictor_.weights()});
    predictions_.add_networks(all);
    return all;
  }
  Inputs inputs() const override {
    Inputs all{{clip_view("view1"), clip_view("view2")}, {}, pair_.numbers()};
    predictions_.add_views(all);
    return all;
  }
  std::vector<std::pair<std::string, VideoNet*>> encoders() override {
    return {{"online", &pair_.query().encoder()}, {"target", &pair_.key().encoder()}};
  }

  void step(StepContext& context) override {
    const Rows &first = context.view("view1"), &second = context.view("view2");
    check_same_shape(first, second);
    for (const Chunk& chunk : context.chunks())
      learn(context, chunk, at::cat({turned(context, chunk, first, 0), turned(context, chunk, second, 1)}));
  }
  void commit(const StepContext& context) override { pair_.move_copy(context); }

 private:
  Cstp(const MethodPlan& plan, const HeadOptions& head)
      : contrast_(plan.options.number("contrast", 0)),
        pair_(plan, head, NormGroups{}),
        predictor_(predictor_of(head, pair_.query().encoder().dim()), plan.seed + 1, plan.placement),
        predictions_(plan, pair_.query().encoder().dim()) {}

  static HeadOptions predictor_of(HeadOptions head, int64_t dim) {
    if (head.hidden == 0) head.hidden = dim;
    head.in = head.out;
    return head;
  }

  // A chunk's clips, each turned by as many quarters of a circle as its target says.
  static Tensor turned(const StepContext& context, const Chunk& chunk, const Rows& view, int64_t column) {
    const Tensor clips = context.clips(view, chunk);
    if (!context.has_view(kTurns)) return clips;
    const Rows& targets = context.view(kTurns);
    if (clips.size(3) != clips.size(4))
      throw_invalid("clips that are turned must be square, got " + shape_text(clips.sizes()));
    const Tensor places = context.places(targets, chunk), quarters = context.rows(targets, chunk);
    const Tensor out = clips.clone();
    for (int64_t k = 1; k < 4; ++k) {
      const Tensor some = places.masked_select(quarters.select(1, column).eq(k));
      if (some.size(0) > 0) out.index_copy_(0, some, at::rot90(clips.index_select(0, some), k, {3, 4}));
    }
    return out;
  }

  // Clips (2n, 3, T, H, W), the second ones after the first.
  void learn(StepContext& context, const Chunk& chunk, const Tensor& clips) {
    const int64_t n = chunk.size();
    const Pass pass = context.pass();
    Tensor features, predicted, keys;
    {
      const Stopwatch watch(context.times.forward);
      features = pair_.query().encoder().embed(clips, pass);
      if (contrast_ > 0) {
        predicted = predictor_.forward(pair_.query().project(features, pass), pass);
        const at::NoGradGuard no_grad;
        keys = pair_.key().embed(clips, pass);
      }
    }
    Tensor loss;
    {
      const Stopwatch watch(context.times.loss);
      loss = predictions_.loss(context, chunk, features.slice(0, 0, n), features.slice(0, n));
      Tensor apart = at::zeros({}, features.options().requires_grad(false));
      if (contrast_ > 0) {
        const Tensor others = at::cat({keys.slice(0, n), keys.slice(0, 0, n)});
        apart = (2 - 2 * (unit_rows(predicted) * unit_rows(others)).sum(1)).sum() / static_cast<double>(n);
      }
      context.report("contrast", apart, chunk.share);
      loss = loss + apart * (contrast_ * chunk.share);
    }
    context.report("loss", loss);
    const Stopwatch watch(context.times.backward);
    if (loss.requires_grad()) loss.backward();
  }

  double contrast_;
  MomentumPair pair_;
  ProjectionHead predictor_;
  Predictions predictions_;
};

}  // namespace

VSSL_METHOD(cstp) { return std::make_unique<Cstp>(plan); }

}  // namespace vssl::engine
