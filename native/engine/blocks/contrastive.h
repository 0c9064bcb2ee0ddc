// Two views, one encoder, one head, NT-Xent: what CVRL and SimCLR share. Options: temperature, lossScale (of
// the mean over the 2N rows) and the head's. With `own_negatives` there is a third view, negative, of each
// sample, which is a negative of the sample's own rows.
#pragma once

#include "branch.h"

namespace vssl::engine {

class Contrastive : public Method {
 public:
  Contrastive(const MethodPlan& plan, const HeadOptions& head, bool own_negatives = false);
  std::vector<Network> networks() override;
  Inputs inputs() const override {
    Inputs all;
    for (const std::string& name : view_names()) all.views.push_back(clip_view(name));
    return all;
  }
  void step(StepContext& context) override;
  bool repeats() const override { return true; }
  std::vector<std::pair<std::string, VideoNet*>> encoders() override;

 private:
  std::vector<std::string> view_names() const {
    if (own_negatives_) return {"view1", "view2", "negative"};
    return {"view1", "view2"};
  }

  double temperature_, loss_scale_;
  bool own_negatives_;
  Branch branch_;
};

}  // namespace vssl::engine
