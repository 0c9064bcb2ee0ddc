// TCGL's head for the order of snippets: gates for the features of each place, then a classifier.
#pragma once

#include <vector>

#include "../layers/layers.h"

namespace vssl::engine {

struct OrderHeadOptions {
  int64_t places = 3;
  int64_t dim = 0;      // width of the feature of a place
  int64_t classes = 6;  // orders
  bool gates = true;    // false: features are concatenated as they are
};

// Of the features h_1 .. h_P (N, P, D), c their concatenation, with an MLP for each place:
//
//   h'_p = sigmoid(W2_p relu(W1_p c + b1_p) + b2_p) * h_p        W1_p: P D -> D / 2, W2_p: D / 2 -> D
//   logits = V2 (kept * relu(V1 [h'_1; ..; h'_P] + a1)) + a2     V1: P D -> D
class OrderHead {
 public:
  OrderHead(const OrderHeadOptions& options, uint64_t seed, const Placement& placement);
  // kept: factors (N, D) of dropout, undefined for none. -> (N, classes)
  Tensor forward(const Tensor& features, const Tensor& kept) const;
  Weights& weights() { return weights_; }

 private:
  Weights weights_;
  std::vector<Linear> squeeze_, excite_, output_;
};

}  // namespace vssl::engine
