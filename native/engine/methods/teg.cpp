// TEG (Qian et al., "Exploring Temporal Granularity in Self-Supervised Video Representation Learning", arXiv
// 2112.04480): a long clip and a short one that lies within it. With s_ik the feature of step k of sample i's
// clip, the network's map averaged over space alone, s_i its mean over time, and t_ik the time of a step:
//
//   fine        z = g(s_ik); the positive of step k of a short clip is the step of its long clip that is
//               nearest in time, j*(k) = argmin_j |t_short,k - t_long,j|, among the steps of all long clips
//               L_fine = mean over i, k of -log softmax_j( <z_short,ik, z_long,j> / tau )  at j*(k)
//   persistent  L_pers = NT-Xent of h(s_i) of both clips
//   L = fine L_fine + persistent L_pers
//
// Options: fine, persistent (weights; a part of weight 0 is not computed), temperature, and those of both
// heads, g and h. A side array `times` (2, T) has the seconds of the frames of the long clip and of the short
// one; a step's time is the mean over its frames.
#include "../blocks/contrast.h"
#include "../blocks/heads.h"
#include "../blocks/pair_step.h"

namespace vssl::engine {

namespace {

class Teg : public Method {
 public:
  explicit Teg(const MethodPlan& plan)
      : fine_weight_(plan.options.number("fine", 0)),
        persistent_weight_(plan.options.number("persistent", 0)),
        temperature_(plan.options.number("temperature", 1e-6)),
        encoder_(create_model(plan.model, plan.seed, plan.placement)),
        head_(read_head(plan.options)) {
    if (fine_weight_ + persistent_weight_ == 0) throw_invalid("both losses have weight 0; give one a weight");
    head_.in = encoder_->dim();
    fine_ = std::make_unique<ProjectionHead>(head_, plan.seed, plan.placement);
    persistent_ = std::make_unique<ProjectionHead>(head_, plan.seed + 1, plan.placement);
  }

  std::vector<Network> networks() override {
    return {{"encoder", &encoder_->weights()},
            {"fine", &fine_->weights()},
            {"persistent", &persistent_->weights()}};
  }
  Inputs inputs() const override {
    return {{clip_view("view1"), clip_view("view2")}, {{"times", at::kFloat, {2, -1}}}, {}};
  }
  std::vector<std::pair<std::string, VideoNet*>> encoders() override { return {{"encoder", encoder_.get()}}; }

  // Rows of the pair step: the embeddings of all steps of a clip, then that of their mean.
  void step(StepContext& context) override {
    step_pairs(
        context, [&](const Tensor& clips, bool update_stats) { return embed(context, clips, update_stats); },
        [&](const Tensor& rows) { return gradient_at(context, rows); });
  }

 private:
  Tensor embed(const StepContext& context, const Tensor& clips, bool update_stats) const {
    const Pass pass = context.pass(update_stats);
    const Tensor steps = encoder_->steps(clips, pass);
    const int64_t n = steps.size(0), count = steps.size(1);
    if (fine_weight_ > 0 && count < 2)
      throw_invalid("the fine loss needs 2 steps in time at least, and of these clips the network makes " +
                    std::to_string(count) +
                    "; give model.timeStrides fewer strides of 2, or clips more frames");
    std::vector<Tensor> rows;
    if (fine_weight_ > 0) rows.push_back(fine_->forward(steps.flatten(0, 1), pass).view({n, -1}));
    if (persistent_weight_ > 0) rows.push_back(persistent_->forward(steps.mean({1}), pass));
    return at::cat(rows, 1);
  }

  // Of rows (2n, T' D + D), long clips before short ones.
  Tensor gradient_at(StepContext& context, const Tensor& rows) const {
    const int64_t wide = rows.size(1) - (persistent_weight_ > 0 ? head_.out : 0);
    std::vector<Tensor> gradients;
    if (fine_weight_ > 0) gradients.push_back(fine_gradient(context, rows.slice(1, 0, wide)));
    if (persistent_weight_ > 0)
      gradients.push_back(
          nt_xent_gradient(context, rows.slice(1, wide).contiguous(), temperature_, persistent_weight_));
    return at::cat(gradients, 1);
  }

  // Every rank has the keys of all: the gradients that its queries give them are added up over the ranks.
  Tensor fine_gradient(StepContext& context, const Tensor& rows) const {
    const Stopwatch watch(context.times.loss);
    Collectives& ranks = context.collectives;
    const int64_t n = context.samples, count = rows.size(1) / head_.out, own = context.first_sample();
    const Tensor queries = rows.slice(0, n).reshape({n * count, head_.out}).detach().requires_grad_();
    const Tensor keys = ranks.all_gather(rows.slice(0, 0, n).contiguous().detach())
                            .reshape({-1, head_.out})
                            .detach()
                            .requires_grad_();
    const Tensor logits = contrast_logits(queries, keys, temperature_);
    const Tensor targets = nearest(context, count, own).to(logits.device());
    const Tensor loss = contrast(logits, targets).sum() / static_cast<double>(keys.size(0));
    (loss * fine_weight_).backward();
    context.report("loss", loss, fine_weight_);
    context.report("fine", loss);
    context.report("fineAccuracy", logits.detach().argmax(1).eq(targets).sum().to(at::kFloat),
                   1.0 / static_cast<double>(keys.size(0)));
    Tensor at_keys = keys.grad().clone();
    ranks.all_reduce(at_keys);
    const Tensor first = at_keys.slice(0, own * count, (own + n) * count).reshape({n, -1});
    return at::cat({first, queries.grad().reshape({n, -1})});
  }

  // The number of the key that is the positive of each query: (n * count), on the CPU.
  Tensor nearest(const StepContext& context, int64_t count, int64_t own) const {
    const Tensor times = context.side("times");  // (n, 2, T)
    const Tensor steps = at::adaptive_avg_pool1d(times, {count});
    const Tensor apart =
        (steps.select(1, 1).unsqueeze(2) - steps.select(1, 0).unsqueeze(1)).abs();  // (n, short, long)
    const Tensor first = (at::arange(times.size(0), at::kLong) + own) * count;
    return (apart.argmin(2) + first.unsqueeze(1)).flatten();
  }

  double fine_weight_, persistent_weight_, temperature_;
  std::unique_ptr<VideoNet> encoder_;
  HeadOptions head_;
  std::unique_ptr<ProjectionHead> fine_, persistent_;
};

}  // namespace

VSSL_METHOD(teg) { return std::make_unique<Teg>(plan); }

}  // namespace vssl::engine
