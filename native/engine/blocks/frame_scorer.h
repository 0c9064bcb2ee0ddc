// VideoMoCo's generator: how much each frame of a clip matters.
#pragma once

#include "../layers/layers.h"

namespace vssl::engine {

// Each frame through three convolutions of stride 2 (16, 32, 64 channels) and a mean over its area; the
// frames in order through a bidirectional LSTM of 64; a linear layer to one number a frame; a softmax over
// the frames.
class FrameScorer {
 public:
  FrameScorer(uint64_t seed, const Placement& placement);
  // clips (N, 3, T, H, W) in pass.compute -> scores (N, T) in fp32, which add up to 1 over T
  Tensor forward(const Tensor& clips, const Pass& pass) const;
  Weights& weights() { return weights_; }

 private:
  Weights weights_;
  std::vector<Conv3d> convs_;
  std::vector<BatchNorm> norms_;
  std::vector<Tensor> recurrent_;
  std::vector<Linear> output_;
};

}  // namespace vssl::engine
