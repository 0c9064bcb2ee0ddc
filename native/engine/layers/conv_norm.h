// A convolution with its BatchNorm, the unit that video networks are made of.
#pragma once

#include <optional>
#include <vector>

#include "conv.h"
#include "norm.h"

namespace vssl::engine {

// y = relu(norm(conv(x)) + residual). In inference one operation where oneDNN is there: the BatchNorm's scale
// and shift go into the convolution's weight and bias, addition and ReLU into the writing of its output.
class ConvNorm {
 public:
  // norm: the BatchNorm's name; none: the convolution has a bias instead.
  ConvNorm(const Scope& conv, const std::optional<Scope>& norm, int64_t in, int64_t out, Triple kernel,
           Triple stride, Triple padding);
  Tensor forward(const Tensor& x, const Pass& pass, bool relu = true, const Tensor& residual = {}) const;

 private:
  const Weights* weights_;
  Triple stride_, padding_;
  Conv3d conv_;
  std::optional<BatchNorm> norm_;
  // In the compute type, for one version of the weights and one size of clip, for which oneDNN chooses
  // blocks.
  enum class Way { kLibrary, kFewChannels, kWinograd };
  struct Folded {
    int64_t version = -1;
    at::ScalarType type = at::kFloat;
    Way way = Way::kLibrary;
    std::vector<int64_t> input;
    Tensor weight, bias;           // the weight as that way reads it
    std::vector<uint32_t> packed;  // of pictures, in the weight's place
  };
  Way way_of(const Tensor& x, bool adds) const;
  // What x meets.
  const Folded& fold(const Tensor& x, at::ScalarType compute, Way way) const;
  Tensor folded(const Tensor& x, const Pass& pass, bool relu, const Tensor& residual) const;
  mutable Folded folded_;
};

}  // namespace vssl::engine
