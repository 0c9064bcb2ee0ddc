#include "contrastive.h"

#include "../errors.h"
#include "pair_step.h"

namespace vssl::engine {

ContrastiveOptions read_contrastive(const Value& options, const ContrastiveOptions& defaults) {
  std::vector<std::string> keys{"temperature", "lossScale"};
  keys.insert(keys.end(), kHeadKeys.begin(), kHeadKeys.end());
  check_keys(options, keys, "method");
  ContrastiveOptions o = defaults;
  o.temperature = number_in(options, "temperature", o.temperature, 1e-3, 1e3);
  o.loss_scale = number_in(options, "lossScale", o.loss_scale, 1e-6, 1e6);
  o.head = read_head(options, o.head);
  return o;
}

Contrastive::Contrastive(const MethodPlan& plan, ContrastiveOptions options)
    : options_(std::move(options)), branch_(plan, options_.head) {}

std::vector<Network> Contrastive::networks() {
  return {{"encoder", &branch_.encoder_weights()}, {"head", &branch_.head_weights()}};
}

VideoNet& Contrastive::encoder(const std::string& name) {
  if (name != "encoder") throw_invalid("unknown encoder \"" + name + "\"; this method has: encoder");
  return branch_.encoder();
}

void Contrastive::step(StepContext& context) {
  step_pairs(
      context,
      [&](const Tensor& clips, bool update_stats) {
        Pass pass;
        pass.train = true;
        pass.update_stats = update_stats;
        pass.compute = context.compute;
        return branch_.embed(clips, pass);
      },
      [&](const Tensor& z) {
        return nt_xent_gradient(context, z, options_.temperature, options_.loss_scale);
      });
}

}  // namespace vssl::engine
