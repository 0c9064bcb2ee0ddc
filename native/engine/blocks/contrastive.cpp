#include "contrastive.h"

#include "pair_step.h"

namespace vssl::engine {

Contrastive::Contrastive(const MethodPlan& plan, const HeadOptions& head, bool own_negatives)
    : temperature_(plan.options.number("temperature", 1e-6)),
      loss_scale_(plan.options.number("lossScale", 0)),
      own_negatives_(own_negatives),
      branch_(plan, read_head(plan.options, head)) {}

std::vector<Network> Contrastive::networks() {
  return {{"encoder", &branch_.encoder_weights()}, {"head", &branch_.head_weights()}};
}

std::vector<std::pair<std::string, VideoNet*>> Contrastive::encoders() {
  return {{"encoder", &branch_.encoder()}};
}

void Contrastive::step(StepContext& context) {
  step_pairs(
      context,
      [&](const Tensor& clips, bool update_stats) {
        return branch_.embed(clips, context.pass(update_stats));
      },
      [&](const Tensor& z) {
        return own_negatives_ ? nt_xent_against_own(context, z, temperature_, loss_scale_)
                              : nt_xent_gradient(context, z, temperature_, loss_scale_);
      },
      view_names());
}

}  // namespace vssl::engine
