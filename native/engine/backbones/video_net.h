// What every video encoder offers, and the table of architectures.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "../engine.h"
#include "../layers/layers.h"

namespace vssl::engine {

class VideoNet {
 public:
  explicit VideoNet(const Placement& placement) : weights_(placement) {}
  virtual ~VideoNet() = default;

  // The network is a sequence of stages; each takes what the one before gives, the first the clips
  // (N, 3, T, H, W) in pass.compute. The last one gives (N, dim, T', H', W').
  virtual int64_t stages() const = 0;
  virtual Tensor stage(int64_t index, Tensor x, const Pass& pass) const = 0;
  // The stage that a tensor of its weights belongs to, by its name.
  virtual int64_t stage_of(const std::string& name) const = 0;
  // All stages. Throws ERR_VSSL_INVALID_ARGUMENT for clips that are smaller than the architecture's least.
  Tensor features(const Tensor& clips, const Pass& pass) const;
  // A feature map's mean over time and space: (N, C) in fp32.
  static Tensor pool(const Tensor& features, const Pass& pass);
  // (N, dim) in fp32; the batch in parts, one a thread (parts.h)
  virtual Tensor embed(const Tensor& clips, const Pass& pass) const;
  // (N, dim * cells) in fp32: the means over the cells of a grid (T, H, W) laid over the feature map, those
  // of a channel side by side. Throws ERR_VSSL_INVALID_ARGUMENT for a grid that is finer than the map.
  Tensor embed_grid(const Tensor& clips, const Pass& pass, const Triple& grid) const;
  // Means over space alone, a row for each step in time of the feature map: (N, T', dim) in fp32.
  Tensor steps(const Tensor& clips, const Pass& pass) const;
  // Every place of the feature map: (N, T' H' W', dim) in fp32.
  Tensor tokens(const Tensor& clips, const Pass& pass) const;

  int64_t dim() const { return dim_; }
  Weights& weights() { return weights_; }
  const Weights& weights() const { return weights_; }
  // The ModelSpec that makes this architecture again.
  const Value& spec() const { return spec_; }

 protected:
  void check(const Tensor& clips) const;
  friend std::unique_ptr<VideoNet> create_model(const Value&, uint64_t, const Placement&);
  Weights weights_;
  int64_t dim_ = 0;
  Value spec_;
  LeastClip least_clip_;
};

// spec: { arch, width } plus what the architecture itself reads. Unknown architectures and keys throw
// ERR_VSSL_INVALID_ARGUMENT. Weights are drawn from `seed`: same seed, same bytes.
std::unique_ptr<VideoNet> create_model(const Value& spec, uint64_t seed, const Placement& placement);

// round(channels * width), at least 1.
int64_t scaled(int64_t channels, double width);

}  // namespace vssl::engine
