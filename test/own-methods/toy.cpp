// Two clips of a video attract each other, and a head names the label of those that have one.
#include "../blocks/contrastive.h"

namespace vssl::engine {

class Toy : public Contrastive {
 public:
  explicit Toy(const MethodPlan& plan)
      : Contrastive(plan, {}),
        encoder_(*encoders()[0].second),
        labels_(plan.options.count("labels", 1)),
        head_({encoder_.dim(), 0, 0, labels_}, plan.seed, plan.placement) {}
  std::vector<Network> networks() override {
    auto all = Contrastive::networks();
    all.push_back({"labels", &head_.weights()});
    return all;
  }
  Inputs inputs() const override {
    Inputs all = Contrastive::inputs();
    all.views.push_back({"label", at::kLong, {1}, true});
    all.side.push_back({"start", at::kFloat, {}});
    return all;
  }
  void step(StepContext& context) override {
    Contrastive::step(context);
    context.report("start", context.side("start").mean());
    if (!context.has_view("label")) return;
    const Rows& label = context.view("label");
    for (const Chunk& chunk : context.chunks()) {
      const Tensor places = context.places(label, chunk);
      if (places.size(0) == 0) continue;
      const Tensor clips = context.clips(context.view("view1"), chunk).index_select(0, places);
      const Tensor logits = head_.forward(encoder_.embed(clips, context.pass(false)), context.pass());
      const Tensor loss = at::cross_entropy_loss(logits, context.rows(label, chunk).squeeze(1)) * chunk.share;
      for (const char* name : {"label", "loss"}) context.report(name, loss);
      loss.backward();
    }
  }

 private:
  VideoNet& encoder_;
  int64_t labels_;
  ProjectionHead head_;
};

VSSL_METHOD(toy) { return std::make_unique<Toy>(plan); }

}  // namespace vssl::engine
