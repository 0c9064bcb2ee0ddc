// An encoder with its projection head: what a contrastive loss trains, and what a momentum copy is made of.
#pragma once

#include <memory>

#include "../method.h"
#include "heads.h"

namespace vssl::engine {

class Branch {
 public:
  // head.in is filled from the encoder.
  Branch(const MethodPlan& plan, HeadOptions head);

  // clips (N, 3, T, H, W) in pass.compute -> embeddings (N, D) in fp32, not normalised
  Tensor embed(const Tensor& clips, const Pass& pass) const {
    return project(encoder_->embed(clips, pass), pass);
  }
  // Of the encoder's features (N, dim).
  Tensor project(const Tensor& features, const Pass& pass) const { return head_->forward(features, pass); }

  VideoNet& encoder() const { return *encoder_; }
  Weights& encoder_weights() const { return encoder_->weights(); }
  Weights& head_weights() const { return head_->weights(); }

 private:
  std::unique_ptr<VideoNet> encoder_;
  std::unique_ptr<ProjectionHead> head_;
};

}  // namespace vssl::engine
