#include "temporal_graphs.h"

#include <cstdlib>
#include <limits>

#include "rows.h"

namespace vssl::engine {

Tensor chain_adjacency(const std::vector<std::vector<int64_t>>& orders) {
  const int64_t n = static_cast<int64_t>(orders.size()), v = static_cast<int64_t>(orders[0].size());
  const Tensor adjacency = at::zeros({n, v, v});
  float* out = adjacency.mutable_data_ptr<float>();
  for (const auto& order : orders)
    for (const int64_t to : order)
      for (const int64_t from : order) *out++ = std::abs(to - from) == 1 ? 1.0f : 0.0f;
  return adjacency;
}

Tensor chain_adjacency(int64_t nodes) {
  std::vector<int64_t> order(nodes);
  for (int64_t i = 0; i < nodes; ++i) order[i] = i;
  return chain_adjacency({order})[0];
}

Tensor full_adjacency(int64_t nodes) { return at::ones({nodes, nodes}) - at::eye(nodes); }

Tensor draw_kept_edges(const CounterRandom& random, const GraphPlace& place, int64_t nodes, double p) {
  const Tensor kept = at::ones({nodes, nodes});
  float* out = kept.mutable_data_ptr<float>();
  for (int64_t t = 0; t < nodes; ++t)
    for (int64_t s = 0; s < nodes; ++s, ++out)
      if (random.uniform(place.counter(kMostNodes * kMostNodes, t * kMostNodes + s)) < p) *out = 0;
  return kept;
}

Tensor draw_kept_features(const CounterRandom& random, const GraphPlace& place, int64_t dim, double p) {
  const Tensor kept = at::ones({1, dim});
  float* out = kept.mutable_data_ptr<float>();
  for (int64_t d = 0; d < dim; ++d)
    if (random.uniform(place.counter(dim, d)) < p) out[d] = 0;
  return kept;
}

namespace {

// l(u_i, w_i) of all nodes from the cosines over tau, (G, V, V): with the other view's, with one's own.
Tensor one_way(const Tensor& between, const Tensor& own, const Tensor& diagonal) {
  const Tensor others = own.masked_fill(diagonal, -std::numeric_limits<double>::infinity());
  return at::cat({between, others}, 2).logsumexp({2}) - between.diagonal(0, 1, 2);
}

}  // namespace

Tensor node_contrast(const Tensor& u, const Tensor& w, double temperature, bool whole_batch) {
  if (whole_batch)
    return node_contrast(u.flatten(0, 1).unsqueeze(0), w.flatten(0, 1).unsqueeze(0), temperature);
  const Tensor a = unit_rows(u), b = unit_rows(w);
  const auto cosines = [&](const Tensor& x, const Tensor& y) {
    return at::bmm(x, y.transpose(1, 2)) / temperature;
  };
  const Tensor between = cosines(a, b);
  const Tensor diagonal = at::eye(u.size(1), at::TensorOptions().dtype(at::kBool).device(u.device()));
  const Tensor there = one_way(between, cosines(a, a), diagonal);
  const Tensor back = one_way(between.transpose(1, 2), cosines(b, b), diagonal);
  return (there + back).mean() / 2;
}

}  // namespace vssl::engine
