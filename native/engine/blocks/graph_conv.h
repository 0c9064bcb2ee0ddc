// Graph convolution. Adjacency matrices (..., V, V) hold 1 in row t, column s where an edge leads from s to
// t, and no loops.
#pragma once

#include <vector>

#include "../layers/layers.h"

namespace vssl::engine {

// D^-1/2 (A + I) D^-1/2 with D the number of edges that lead to a node, its own loop among them. Of a graph
// that lost edges this is the degree in what is left of it.
Tensor normalized_adjacency(const Tensor& adjacency);

// Layers X' = D^-1/2 (A + I) D^-1/2 X W + b, a ReLU between two of them and none at the end (Kipf and
// Welling, "Semi-Supervised Classification with Graph Convolutional Networks", ICLR 2017, eq. 2).
class GraphConv {
 public:
  GraphConv(const Scope& scope, int64_t in, int64_t out, int64_t layers);
  // x (N, V, in), adjacency normalised (N, V, V) -> (N, V, out)
  Tensor forward(const Tensor& x, const Tensor& adjacency) const;

 private:
  std::vector<Linear> layers_;
};

}  // namespace vssl::engine
