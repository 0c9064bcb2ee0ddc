// ConCur (Roy and Etemad, "Temporal Contrastive Learning with Curriculum", ICASSP 2023): two clips of a video
// that lie ever farther apart as training goes on, which the planner sees to. With f the pooled features and
// z = head(f):
//
//   L = lossScale * NT-Xent(z) + weight * predicted distance of the two clips from [f_1; f_2]
//
// Options: temperature, lossScale (of the mean over the 2N rows), the head's, and those of predictions.h.
#include "../blocks/pair_step.h"
#include "../blocks/predictions.h"

namespace vssl::engine {

namespace {

class ConCur : public Method {
 public:
  explicit ConCur(const MethodPlan& plan)
      : temperature_(plan.options.number("temperature", 1e-6)),
        loss_scale_(plan.options.number("lossScale", 0)),
        encoder_(create_model(plan.model, plan.seed, plan.placement)),
        head_options_(read_head(plan.options)),
        predictions_(plan, encoder_->dim()) {
    head_options_.in = encoder_->dim();
    head_ = std::make_unique<ProjectionHead>(head_options_, plan.seed, plan.placement);
  }

  std::vector<Network> networks() override {
    std::vector<Network> all = {{"encoder", &encoder_->weights()}, {"head", &head_->weights()}};
    predictions_.add_networks(all);
    return all;
  }
  Inputs inputs() const override {
    Inputs all{{clip_view("view1"), clip_view("view2")}, {}, {}};
    predictions_.add_views(all);
    return all;
  }
  std::vector<std::pair<std::string, VideoNet*>> encoders() override { return {{"encoder", encoder_.get()}}; }

  // Rows are embeddings with the features beside them: (2n, D + dim).
  void step(StepContext& context) override {
    step_pairs(
        context,
        [&](const Tensor& clips, bool update_stats) {
          const Pass pass = context.pass(update_stats);
          const Tensor features = encoder_->embed(clips, pass);
          return at::cat({head_->forward(features, pass), features}, 1);
        },
        [&](const Tensor& rows) { return gradient_at(context, rows); });
  }

 private:
  Tensor gradient_at(StepContext& context, const Tensor& rows) const {
    const int64_t n = context.samples, width = head_options_.out;
    const Tensor contrast =
        nt_xent_gradient(context, rows.slice(1, 0, width).contiguous(), temperature_, loss_scale_);
    const Stopwatch watch(context.times.loss);
    const Tensor features = rows.slice(1, width).contiguous().requires_grad_();
    const Chunk whole{0, n, 1.0 / static_cast<double>(context.collectives.size())};
    const Tensor loss = predictions_.loss(context, whole, features.slice(0, 0, n), features.slice(0, n));
    context.report("loss", loss);
    if (loss.requires_grad()) loss.backward();
    return at::cat({contrast, features.grad().defined() ? features.grad() : at::zeros_like(features)}, 1);
  }

  double temperature_, loss_scale_;
  std::unique_ptr<VideoNet> encoder_;
  HeadOptions head_options_;
  std::unique_ptr<ProjectionHead> head_;
  Predictions predictions_;
};

}  // namespace

VSSL_METHOD(concur) { return std::make_unique<ConCur>(plan); }

}  // namespace vssl::engine
