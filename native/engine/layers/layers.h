// Layers of the video networks. A layer owns handles to its tensors; their names and storage belong to
// Weights.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "../tensor.h"
#include "../weights.h"

namespace vssl::engine {

using Triple = std::array<int64_t, 3>;  // (T, H, W)

// What one convolution of a pass did.
struct ConvCall {
  std::array<int64_t, 5> input;  // (N, in, T, H, W)
  int64_t out;
  Triple kernel, stride, padding;
  bool bias;
};

// How a forward pass is run.
struct Pass {
  bool train = false;         // BatchNorm normalises with the statistics of the batch
  bool update_stats = false;  // ... and moves its running statistics
  // When set, running statistics move by this factor instead of each layer's own (1 / (k + 1) in pass k gives
  // the average over all passes).
  std::optional<double> stats_momentum;
  at::ScalarType compute =
      at::kFloat;  // of activations and of the weights that meet them: kFloat or kBFloat16
  std::vector<ConvCall>* record =
      nullptr;  // receives every convolution, for tests that walk over all of them
};

// 3-D convolution, no dilation, no groups. Weights (out, in, kT, kH, kW) from N(0, 2 / (out kT kH kW)), i.e.
// Kaiming normal with fan_out; bias 0.
class Conv3d {
 public:
  Conv3d(const Scope& scope, int64_t in, int64_t out, Triple kernel, Triple stride, Triple padding,
         bool bias = false);
  Tensor forward(const Tensor& x, const Pass& pass) const;

 private:
  const Weights* weights_;
  Triple stride_, padding_;
  Tensor weight_, bias_;
  // The weight in the compute type, made once for each version of the weights.
  mutable Tensor shadow_;
  mutable int64_t shadow_version_ = -1;
};

// Gradient of a convolution's weight, (out, in, kT, kH, kW). Where libtorch computes it rightly this is
// at::convolution_backward; see conv.cpp for the shapes where it does not.
Tensor conv3d_weight_gradient(const Tensor& grad_output, const Tensor& input, const Tensor& weight,
                              Triple stride, Triple padding);

// Batch normalisation over all but dimension 1, for (N, C) and (N, C, T, H, W), with what usually follows
// fused in: y = relu(bn(x) + residual). Statistics and arithmetic in fp32 whatever the type of x.
class BatchNorm {
 public:
  // momentum: weight of the new batch in the running statistics. center: whether there is a learned shift.
  BatchNorm(const Scope& scope, int64_t channels, double momentum = 0.1, double eps = 1e-5,
            bool center = true);
  Tensor forward(const Tensor& x, const Pass& pass, bool relu = false, const Tensor& residual = {}) const;

 private:
  double momentum_, eps_;
  Tensor weight_, bias_, running_mean_, running_var_, batches_;
};

// y = x W^T + b for (N, in). W from N(0, gain^2 / in), b = 0.
class Linear {
 public:
  Linear(const Scope& scope, int64_t in, int64_t out, double gain, bool bias = true);
  Tensor forward(const Tensor& x, const Pass& pass) const;

 private:
  Tensor weight_, bias_;
};

}  // namespace vssl::engine
