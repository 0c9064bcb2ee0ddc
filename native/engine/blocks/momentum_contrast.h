// Momentum contrast of view1 with view2: MoCo, and what is built on it. Options: symmetric (each view is
// query and key in turn; the loss is the sum), ownNegatives (a third view, negative, of each sample, whose
// key is one more negative of the sample's own queries) and those of a momentum branch.
#pragma once

#include "momentum_branch.h"

namespace vssl::engine {

class MomentumContrast : public Method {
 public:
  explicit MomentumContrast(const MethodPlan& plan);
  std::vector<Network> networks() override { return branch_.networks(); }
  Inputs inputs() const override {
    Inputs all{{clip_view("view1"), clip_view("view2")}, branch_.side(), branch_.numbers()};
    if (own_negatives_) all.views.push_back(clip_view("negative"));
    return all;
  }
  void step(StepContext& context) override;
  void commit(const StepContext& context) override;
  std::vector<std::pair<std::string, Stored*>> stored() override { return {{"", &branch_.queue()}}; }
  std::vector<std::pair<std::string, VideoNet*>> encoders() override;

 protected:
  // What some queries are compared with: their keys (n, D), the numbers of their videos (n) and negatives of
  // their own (n, D), both undefined where nobody asks.
  struct Against {
    Tensor keys, videos, negatives;
  };
  // Adds the loss of some queries and its gradient: clips (n, 3, T, H, W), which are `share` of the batch.
  virtual void learn_chunk(StepContext& context, const Tensor& clips, const Against& against, double share);
  Tensor info_nce(const Tensor& queries, const Against& against) const {
    return branch_.info_nce(queries, against.keys, against.videos, against.negatives);
  }

  const MomentumBranch& branch() const { return branch_; }

 private:
  void learn(StepContext& context, const Rows& view, const Tensor& keys);

  bool symmetric_, own_negatives_;
  MomentumBranch branch_;
  Tensor negatives_;           // keys of the negative views of this step
  std::vector<Tensor> fresh_;  // keys of this step, enqueued when it is kept
};

}  // namespace vssl::engine
