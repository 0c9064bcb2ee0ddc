#include "graph_conv.h"

namespace vssl::engine {

Tensor normalized_adjacency(const Tensor& adjacency) {
  const Tensor loops = adjacency + at::eye(adjacency.size(-1), adjacency.options());
  const Tensor scale = loops.sum(-1).rsqrt();
  return loops * scale.unsqueeze(-1) * scale.unsqueeze(-2);
}

GraphConv::GraphConv(const Scope& scope, int64_t in, int64_t out, int64_t layers) {
  for (int64_t i = 0; i < layers; ++i) layers_.emplace_back(scope / i, i == 0 ? in : out, out, 1.0);
}

Tensor GraphConv::forward(const Tensor& x, const Tensor& adjacency) const {
  const Pass pass;  // few numbers: in fp32
  Tensor y = x;
  for (size_t i = 0; i < layers_.size(); ++i)
    y = layers_[i].forward(at::matmul(adjacency, i == 0 ? y : at::relu(y)), pass);
  return y;
}

}  // namespace vssl::engine
