// Fully connected layers.
#pragma once

#include "../weights.h"
#include "pass.h"

namespace vssl::engine {

// y = x W^T + b for (N, in). W from N(0, gain^2 / in), b = 0.
class Linear {
 public:
  Linear(const Scope& scope, int64_t in, int64_t out, double gain, bool bias = true);
  Tensor forward(const Tensor& x, const Pass& pass) const;

 private:
  Tensor weight_, bias_;
};

}  // namespace vssl::engine
