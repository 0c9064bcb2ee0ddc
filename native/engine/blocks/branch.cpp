#include "branch.h"

namespace vssl::engine {

Branch::Branch(const MethodPlan& plan, HeadOptions head)
    : encoder_(create_model(plan.model, plan.seed, plan.placement)) {
  head.in = encoder_->dim();
  head_ = std::make_unique<ProjectionHead>(head, plan.seed, plan.placement);
}

}  // namespace vssl::engine
