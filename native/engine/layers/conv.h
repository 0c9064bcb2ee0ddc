// 3-D convolutions. A layer owns handles to its tensors; their names and storage belong to Weights.
#pragma once

#include "../weights.h"
#include "pass.h"

namespace vssl::engine {

// 3-D convolution, no dilation, no groups. Weights (out, in, kT, kH, kW) from N(0, 2 / (out kT kH kW)), i.e.
// Kaiming normal with fan_out; bias 0.
class Conv3d {
 public:
  Conv3d(const Scope& scope, int64_t in, int64_t out, Triple kernel, Triple stride, Triple padding,
         bool bias = false);
  Tensor forward(const Tensor& x, const Pass& pass) const;
  // Throws ERR_VSSL_OUT_OF_MEMORY where the output for x cannot fit.
  void check(const Tensor& x) const;
  const Tensor& weight() const { return weight_; }
  const Tensor& bias() const { return bias_; }

 private:
  const Weights* weights_;
  Triple stride_, padding_;
  Tensor weight_, bias_;
  // The weight as convolutions read it, made once for each version of the weights.
  struct Shadow {
    int64_t version = -1;
    Tensor weight;                       // in the compute type
    std::vector<uint32_t> few;           // for pictures, where it was asked for
    Tensor winograd, winograd_to_input;  // for those, and for the gradient of x
  };
  mutable Shadow shadow_;
};

// Gradient of a convolution's weight, (out, in, kT, kH, kW). Where libtorch computes it rightly this is
// at::convolution_backward; see conv.cpp for the shapes where it does not.
Tensor conv3d_weight_gradient(const Tensor& grad_output, const Tensor& input, const Tensor& weight,
                              Triple stride, Triple padding);

}  // namespace vssl::engine
