// The convolutions of a network, each alone: what a pass takes at least.
#pragma once

#include <deque>
#include <vector>

#include "engine.h"
#include "layers/conv_norm.h"

namespace vssl::engine {

class BareConvolutions {
 public:
  // Those that a pass made, with weights of their own.
  BareConvolutions(const std::vector<ConvCall>& calls, at::ScalarType compute, const Placement& placement);
  BareConvolutions(const BareConvolutions&) = delete;

  // Runs each once, as in inference without BatchNorm and ReLU, on an input that is in memory.
  std::vector<ConvolutionTime> time() const;

 private:
  Tensor input(const ConvCall& call) const;

  Pass pass_;
  Placement placement_;
  std::vector<ConvCall> calls_;
  Weights weights_;
  std::deque<ConvNorm> layers_;
  Tensor values_;  // the inputs are views of it
};

}  // namespace vssl::engine
