// Momentum contrast of view1 with view2: MoCo, and what is built on it. Options: symmetric (each view is
// query and key in turn; the loss is the sum) and those of a momentum branch.
#pragma once

#include "momentum_branch.h"

namespace vssl::engine {

class MomentumContrast : public Method {
 public:
  explicit MomentumContrast(const MethodPlan& plan);
  std::vector<Network> networks() override { return branch_.networks(); }
  Inputs inputs() const override {
    return {{clip_view("view1"), clip_view("view2")}, branch_.side(), branch_.numbers()};
  }
  void step(StepContext& context) override;
  void commit(const StepContext& context) override;
  std::vector<std::pair<std::string, Stored*>> stored() override { return {{"", &branch_.queue()}}; }
  std::vector<std::pair<std::string, VideoNet*>> encoders() override;

 protected:
  // Adds the loss of some queries and its gradient: clips (n, 3, T, H, W), their keys (n, D) and the numbers
  // of their videos (n), undefined where nobody asks; they are `share` of the batch.
  virtual void learn_chunk(StepContext& context, const Tensor& clips, const Tensor& keys,
                           const Tensor& videos, double share);

  const MomentumBranch& branch() const { return branch_; }

 private:
  void learn(StepContext& context, const Rows& view, const Tensor& keys);

  bool symmetric_;
  MomentumBranch branch_;
  std::vector<Tensor> fresh_;  // keys of this step, enqueued when it is kept
};

}  // namespace vssl::engine
