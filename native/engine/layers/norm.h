// Batch normalisation with what follows it.
#pragma once

#include <utility>

#include "../weights.h"
#include "pass.h"

namespace vssl::engine {

// Batch normalisation over all but dimension 1, for (N, C) and (N, C, T, H, W), with what usually follows
// fused in: y = relu(bn(x) + residual). Statistics and arithmetic in fp32 whatever the type of x.
class BatchNorm {
 public:
  // momentum: weight of the new batch in the running statistics. center: whether there is a learned shift.
  BatchNorm(const Scope& scope, int64_t channels, double momentum = 0.1, double eps = 1e-5,
            bool center = true);
  Tensor forward(const Tensor& x, const Pass& pass, bool relu = false, const Tensor& residual = {}) const;

  // In inference y = x scale + shift, by channel, in fp32.
  std::pair<Tensor, Tensor> running() const;

 private:
  double momentum_, eps_;
  Tensor weight_, bias_, running_mean_, running_var_, batches_;
};

}  // namespace vssl::engine
