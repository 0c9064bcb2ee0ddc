// Small graphs over the snippets of a video or the frame sets of a snippet, their corruption and the contrast
// of their nodes (TCGL).
#pragma once

#include <vector>

#include "../random.h"
#include "graph_conv.h"

namespace vssl::engine {

// The chain 0 - 1 - ... - V-1, both directions.
Tensor chain_adjacency(int64_t nodes);
// (N, V, V): the chain in true order over shuffled places; orders[n][p] is what stands at place p.
Tensor chain_adjacency(const std::vector<std::vector<int64_t>>& orders);
// All edges there are.
Tensor full_adjacency(int64_t nodes);

// Where a graph stands among those that a step corrupts; numbers are drawn by place, so that chunks and
// threads change nothing.
struct GraphPlace {
  int64_t sample, graph, view, graphs;  // graphs: of each sample
  // Of number i in a block of `size` numbers for each graph.
  uint64_t counter(int64_t size, int64_t i) const {
    return static_cast<uint64_t>((((sample * graphs + graph) * 2 + view) * size) + i);
  }
};

constexpr int64_t kMostNodes = 64;

// (V, V) of 0 and 1: an edge from s to t is dropped where number t * kMostNodes + s of its graph is below p.
Tensor draw_kept_edges(const CounterRandom& random, const GraphPlace& place, int64_t nodes, double p);
// (1, D) of 0 and 1: feature d is zeroed in all nodes where number d of the graph is below p.
Tensor draw_kept_features(const CounterRandom& random, const GraphPlace& place, int64_t dim, double p);

// Contrast of nodes in two views of the same graphs, u and w (G, V, D), in the form of GRACE (Zhu et al.,
// "Deep Graph Contrastive Representation Learning", 2020), with s the cosine:
//
//   l(u_i, w_i) = -log( e^{s(u_i, w_i) / tau} / (sum_k e^{s(u_i, w_k) / tau} + sum_{k != i} e^{s(u_i, u_k) /
//   tau}) )
//   L = mean over graphs and nodes of (l(u_i, w_i) + l(w_i, u_i)) / 2
//
// Negatives are the other nodes of the same graph alone; with `whole_batch` those of all G graphs, as if they
// were one.
Tensor node_contrast(const Tensor& u, const Tensor& w, double temperature, bool whole_batch = false);

}  // namespace vssl::engine
