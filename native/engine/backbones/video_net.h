// What every video encoder offers, and the registry of architectures.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "../layers/layers.h"

namespace vssl::engine {

class VideoNet {
 public:
  explicit VideoNet(const Placement& placement) : weights_(placement) {}
  virtual ~VideoNet() = default;

  // clips (N, 3, T, H, W) in pass.compute -> the last feature map (N, dim, T', H', W')
  virtual Tensor features(const Tensor& clips, const Pass& pass) const = 0;
  // The mean of the last feature map: (N, dim) in fp32.
  Tensor embed(const Tensor& clips, const Pass& pass) const;

  int64_t dim() const { return dim_; }
  Weights& weights() { return weights_; }
  const Weights& weights() const { return weights_; }
  // The ModelSpec that makes this architecture again.
  const Value& spec() const { return spec_; }

 protected:
  friend std::unique_ptr<VideoNet> create_model(const Value&, uint64_t, const Placement&);
  Weights weights_;
  int64_t dim_ = 0;
  Value spec_;
};

// spec: { arch, width } plus what the architecture itself reads. Unknown architectures and keys throw
// ERR_VSSL_INVALID_ARGUMENT. Weights are drawn from `seed`: same seed, same bytes.
std::unique_ptr<VideoNet> create_model(const Value& spec, uint64_t seed, const Placement& placement);
std::vector<std::string> model_names();

// round(channels * width), at least 1.
int64_t scaled(int64_t channels, double width);

}  // namespace vssl::engine
