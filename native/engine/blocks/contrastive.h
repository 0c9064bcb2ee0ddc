// Two views, one encoder, one head, NT-Xent: what CVRL and SimCLR share. Options: temperature, lossScale (of
// the mean over the 2N rows) and the head's.
#pragma once

#include "branch.h"

namespace vssl::engine {

class Contrastive : public Method {
 public:
  Contrastive(const MethodPlan& plan, const HeadOptions& head);
  std::vector<Network> networks() override;
  Inputs inputs() const override { return {{clip_view("view1"), clip_view("view2")}, {}, {}}; }
  void step(StepContext& context) override;
  bool repeats() const override { return true; }
  std::vector<std::pair<std::string, VideoNet*>> encoders() override;

 private:
  double temperature_, loss_scale_;
  Branch branch_;
};

}  // namespace vssl::engine
