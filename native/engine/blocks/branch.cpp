#include "branch.h"

#include "../errors.h"

namespace vssl::engine {

const std::vector<std::string> kHeadKeys{"headLayers", "headHidden", "headDim", "headNorm"};

HeadOptions read_head(const Value& options, HeadOptions o) {
  o.layers = int_in(options, "headLayers", o.layers, 0, 16);
  o.hidden = int_in(options, "headHidden", o.hidden, 0, 1 << 16);
  o.out = int_in(options, "headDim", o.out, 1, 1 << 16);
  o.hidden_norm = options.get_bool("headNorm", o.hidden_norm);
  return o;
}

Branch::Branch(const MethodPlan& plan, HeadOptions head) {
  encoder_ = create_model(plan.model, plan.seed, plan.placement);
  head.in = encoder_->dim();
  if (head.hidden == 0) head.hidden = encoder_->dim();
  head_ = std::make_unique<ProjectionHead>(head, plan.seed, plan.placement);
}

}  // namespace vssl::engine
