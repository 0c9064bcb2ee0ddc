// Projection heads: what turns a pooled feature into the vector that a contrastive loss compares.
#pragma once

#include <memory>
#include <vector>

#include "../layers/layers.h"
#include "../options.h"

namespace vssl::engine {

struct HeadOptions {
  int64_t in = 0;           // width of the pooled feature
  int64_t hidden = 0;       // width of the hidden layers; 0: in
  int64_t layers = 3;       // number of hidden layers
  int64_t out = 128;        // width of the embedding
  bool hidden_norm = true;  // BatchNorm after each hidden layer (not in MoCo's head)
  bool linear_bias = true;  // hidden Linear layers have a bias beside BatchNorm's shift (CVRL)
  bool output_norm =
      false;  // the last layer is Linear without bias + BatchNorm without shift (SimCLR), not Linear
  double norm_momentum = 0.1;  // weight of a batch in the running statistics
};

// headLayers, headHidden (0: the width of the feature), headDim and headNorm of a method's options, laid over
// what the method fixes.
HeadOptions read_head(Options& options, HeadOptions fixed = {});

// layers x (Linear, BatchNorm if any, ReLU), then the output layer. (N, in) -> (N, out) in fp32, not
// normalised.
class ProjectionHead {
 public:
  ProjectionHead(const HeadOptions& options, uint64_t seed, const Placement& placement);
  Tensor forward(const Tensor& features, const Pass& pass) const;
  Weights& weights() { return weights_; }

 private:
  Weights weights_;
  bool hidden_norm_, output_norm_;
  std::vector<Linear> linears_;
  std::vector<BatchNorm> norms_;
};

}  // namespace vssl::engine
