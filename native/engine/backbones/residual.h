// What residual networks share: a stem, then four layers of blocks.
#pragma once

#include <array>
#include <deque>

#include "video_net.h"

namespace vssl::engine {

template <typename Block>
class Residual : public VideoNet {
 public:
  using VideoNet::VideoNet;
  int64_t stages() const override { return 1 + static_cast<int64_t>(layers_.size()); }

  int64_t stage_of(const std::string& name) const override {
    return name.rfind("layer", 0) == 0 ? name[5] - '0' : 0;
  }

  Tensor stage(int64_t index, Tensor x, const Pass& pass) const override {
    if (index == 0) return stem(x, pass);
    for (const auto& block : layers_[index - 1]) x = block.forward(x, pass);
    return x;
  }

 protected:
  virtual Tensor stem(const Tensor& clips, const Pass& pass) const = 0;
  std::array<std::deque<Block>, 4> layers_;
};

}  // namespace vssl::engine
