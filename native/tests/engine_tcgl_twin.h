// TCGL once more, from its formulas in double precision: plain loops for its parts, and a whole step sample
// by sample and graph by graph.
#pragma once

#include <algorithm>

#include "engine_methods.h"

namespace vssl::engine::testing {

using Vector = std::vector<double>;

inline Vector values_of(const Tensor& x) {
  const Tensor flat = x.detach().to(at::kDouble).contiguous().flatten();
  return {flat.const_data_ptr<double>(), flat.const_data_ptr<double>() + flat.numel()};
}

inline double error_of(const Tensor& found, const Tensor& expected) {
  const Tensor e = expected.detach().to(at::kDouble), f = found.detach().to(at::kDouble);
  return ((f - e).norm() / (e.norm() + 1e-30)).item<double>();
}

// Zeros where there is none.
inline std::vector<Tensor> gradients_of(const Weights& weights) {
  std::vector<Tensor> out;
  for (const Tensor& p : parameters_of(weights))
    out.push_back(p.grad().defined() ? p.grad().clone() : at::zeros_like(p));
  return out;
}

// Relative to the norm of all tensors together.
inline double error_of(const std::vector<Tensor>& found, const std::vector<Tensor>& expected) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    difference += (found[i] - expected[i]).to(at::kDouble).square().sum().item<double>();
    norm += expected[i].to(at::kDouble).square().sum().item<double>();
  }
  return std::sqrt(difference / (norm + 1e-30));
}

// y = M x + b with M (rows, columns).
inline Vector affine_twin(const Vector& m, const Vector& b, const Vector& x) {
  Vector y(b);
  for (size_t r = 0; r < y.size(); ++r)
    for (size_t c = 0; c < x.size(); ++c) y[r] += m[r * x.size() + c] * x[c];
  return y;
}

// x (V, in), adjacency (V, V) with 1 in row t, column s for an edge from s to t.
inline Vector graph_conv_twin(const Vector& x, const Vector& adjacency, const Vector& weight,
                              const Vector& bias, int64_t nodes) {
  const int64_t in = static_cast<int64_t>(x.size()) / nodes;
  Vector degree(nodes, 1), out;
  for (int64_t t = 0; t < nodes; ++t)
    for (int64_t s = 0; s < nodes; ++s) degree[t] += adjacency[t * nodes + s];
  for (int64_t t = 0; t < nodes; ++t) {
    Vector sum(in);
    for (int64_t s = 0; s < nodes; ++s) {
      const double edge = adjacency[t * nodes + s] + (s == t ? 1 : 0);
      for (int64_t d = 0; d < in; ++d) sum[d] += edge / std::sqrt(degree[t] * degree[s]) * x[s * in + d];
    }
    const Vector row = affine_twin(weight, bias, sum);
    out.insert(out.end(), row.begin(), row.end());
  }
  return out;
}

// Of one graph: u, w (V, D).
inline double node_contrast_twin(const Vector& u, const Vector& w, int64_t nodes, double tau) {
  const int64_t dim = static_cast<int64_t>(u.size()) / nodes;
  const auto cosine = [&](const Vector& a, int64_t i, const Vector& b, int64_t k) {
    double ab = 0, aa = 0, bb = 0;
    for (int64_t d = 0; d < dim; ++d) {
      ab += a[i * dim + d] * b[k * dim + d];
      aa += a[i * dim + d] * a[i * dim + d];
      bb += b[k * dim + d] * b[k * dim + d];
    }
    return ab / std::sqrt(aa * bb);
  };
  const auto one_way = [&](const Vector& a, const Vector& b, int64_t i) {
    double sum = 0;
    for (int64_t k = 0; k < nodes; ++k) {
      sum += std::exp(cosine(a, i, b, k) / tau);
      if (k != i) sum += std::exp(cosine(a, i, a, k) / tau);
    }
    return -std::log(std::exp(cosine(a, i, b, i) / tau) / sum);
  };
  double loss = 0;
  for (int64_t i = 0; i < nodes; ++i) loss += (one_way(u, w, i) + one_way(w, u, i)) / 2;
  return loss / nodes;
}

// Logits of one sample: h (P D), factors of dropout (D), in[1..] the head's tensors in its own order.
inline Vector order_head_twin(const Vector& h, const Vector& factors, const std::vector<Vector>& in,
                              int64_t places, int64_t dim, bool gates) {
  Vector all(h);
  size_t next = 1;
  for (int64_t p = 0; gates && p < places; ++p, next += 4) {
    Vector hidden = affine_twin(in[next], in[next + 1], h);
    for (double& v : hidden) v = std::max(v, 0.0);
    const Vector gate = affine_twin(in[next + 2], in[next + 3], hidden);
    for (int64_t d = 0; d < dim; ++d) all[p * dim + d] = h[p * dim + d] / (1 + std::exp(-gate[d]));
  }
  Vector hidden = affine_twin(in[next], in[next + 1], all);
  for (size_t d = 0; d < hidden.size(); ++d) hidden[d] = factors[d] * std::max(hidden[d], 0.0);
  return affine_twin(in[next + 2], in[next + 3], hidden);
}

inline double cross_entropy_twin(const Vector& logits, int64_t label) {
  double sum = 0;
  for (const double v : logits) sum += std::exp(v);
  return -std::log(std::exp(logits[label]) / sum);
}

// (3, T, H, W) less its first `drop` temporal DCT coefficients, by the cosines of the definition.
inline Tensor without_low(const Tensor& clip, int64_t drop) {
  Tensor x = clip.to(at::kDouble);
  const int64_t frames = clip.size(1);
  for (int64_t k = 0; k < drop; ++k) {
    const Tensor t = at::arange(frames, at::TensorOptions(at::kDouble));
    const Tensor wave = ((2 * t + 1) * (k * M_PI / (2.0 * static_cast<double>(frames)))).cos() *
                        std::sqrt((k == 0 ? 1.0 : 2.0) / static_cast<double>(frames));
    const Tensor basis = wave.view({1, frames, 1, 1});
    x = x - (x * basis).sum({1}, true) * basis;
  }
  return x.to(at::kFloat);
}

struct TwinOptions {
  int64_t places, sets, drop, repeat, layers, dim;
  bool full, none, both, by_batch, gates, apart;
  double edge_drop, feature_mask, tau, dropout, intra, inter, order;
};

inline TwinOptions twin_options(const Object& changes) {
  const Value o(changes);
  const auto number = [&](const char* key, double fallback) { return o.get_number(key, fallback); };
  const auto whole = [&](const char* key, double fallback) {
    return static_cast<int64_t>(o.get_number(key, fallback));
  };
  return {whole("snippets", 3),
          whole("sets", 4),
          whole("dropLow", 1),
          whole("repeat", 1),
          whole("gcnLayers", 1),
          whole("dim", 64),  // of r3d_10 at width 1/8
          o.get_string("adjacency", "chain") == "full",
          o.get_string("adjacency", "chain") == "none",
          o.get_string("corrupted", "both") == "both",
          o.get_string("edgeDraws", "graph") == "batch",
          o.get_bool("gates", true),
          o.get_bool("separatePasses", false),
          number("edgeDrop", 0.2),
          number("featureMask", 0.1),
          number("temperature", 0.5),
          number("dropout", 0.1),
          number("intraWeight", 1),
          number("interWeight", 1),
          number("orderWeight", 1)};
}

// A step with orderSeed 11 and corruptionSeed 12: named losses, and gradients left in the networks' tensors.
class TcglTwin {
 public:
  TcglTwin(const VideoNet& encoder, const Weights& graphs, const Weights& order, TwinOptions options)
      : encoder_(encoder), graphs_(graphs), order_(order), o_(options) {
    std::vector<int64_t> places(o_.places);
    for (int64_t p = 0; p < o_.places; ++p) places[p] = p;
    do orders_.push_back(places);
    while (std::next_permutation(places.begin(), places.end()));
  }

  std::map<std::string, double> step(const std::vector<Rows>& views, int64_t chunks) {
    std::map<std::string, double> losses{{"loss", 0}};
    const int64_t n = views[0].data.size(0);
    for (int64_t c = 0; c < chunks; ++c) {
      const int64_t begin = n * c / chunks, end = n * (c + 1) / chunks;
      const std::map<std::string, Tensor> parts = chunk_losses(views, begin, end);
      Tensor total = at::zeros({}, at::TensorOptions(at::kDouble));
      for (const auto& [name, part] : parts) {
        const double weight = name == "intra" ? o_.intra : name == "inter" ? o_.inter : o_.order;
        if (weight == 0) continue;
        losses[name] += part.item<double>() / static_cast<double>(n);
        if (name != "orderAccuracy") total = total + weight * part / static_cast<double>(n);
      }
      losses["loss"] += total.item<double>();
      total.backward();
    }
    return losses;
  }

 private:
  Tensor entry(const Weights& weights, const std::string& name) const {
    for (const auto& e : weights.entries())
      if (e.name == name) return e.tensor.to(at::kDouble);
    throw Error("ERR_VSSL_TEST", "no tensor " + name);
  }
  Tensor linear(const Weights& weights, const std::string& name, const Tensor& x) const {
    return x.mm(entry(weights, name + ".weight").t()) + entry(weights, name + ".bias");
  }

  // Sums over the samples of a chunk.
  std::map<std::string, Tensor> chunk_losses(const std::vector<Rows>& views, int64_t begin, int64_t end) {
    const int64_t frames = views[0].data.size(2) / o_.sets;
    std::vector<Tensor> snippets, sets;  // by place, sample; by place, set, sample
    for (int64_t p = 0; p < o_.places; ++p) {
      for (int64_t i = begin; i < end; ++i)
        snippets.push_back(without_low(views[order_of(i)[p]].data[i], o_.drop));
      for (int64_t s = 0; s < o_.sets; ++s)
        for (int64_t i = begin; i < end; ++i)
          sets.push_back(
              without_low(views[order_of(i)[p]].data[i].slice(1, s * frames, (s + 1) * frames), o_.drop)
                  .repeat_interleave(o_.repeat, 1));
    }
    const int64_t n = end - begin;
    const Tensor of_snippets = embed(snippets, o_.places), of_sets = embed(sets, o_.places * o_.sets);
    std::map<std::string, Tensor> sums;
    const auto add = [&](const char* name, const Tensor& value) {
      sums[name] = sums[name].defined() ? sums[name] + value : value;
    };
    for (int64_t i = 0; i < n; ++i) {
      std::vector<Tensor> nodes;
      for (int64_t p = 0; p < o_.places; ++p) nodes.push_back(of_snippets[p * n + i]);
      const Tensor x = at::stack(nodes), adjacency = inter_adjacency(order_of(begin + i));
      add("inter", contrast(x, adjacency, "inter", o_.layers, begin + i, 0));
      const Tensor logits = order_logits(convolve(x, adjacency, "inter", o_.layers), begin + i);
      const int64_t label = label_of(begin + i);
      add("order", -logits.log_softmax(1)[0][label]);
      add("orderAccuracy", logits.argmax(1).eq(label).to(at::kDouble)[0]);
      for (int64_t p = 0; p < o_.places; ++p) {
        nodes.clear();
        for (int64_t s = 0; s < o_.sets; ++s) nodes.push_back(of_sets[(p * o_.sets + s) * n + i]);
        const Tensor in_place =
            contrast(at::stack(nodes), intra_adjacency(), "intra." + std::to_string(p), 1, begin + i, p + 1);
        add("intra", in_place / static_cast<double>(o_.places));
      }
    }
    return sums;
  }

  Tensor embed(const std::vector<Tensor>& clips, int64_t groups) const {
    Pass pass;
    pass.train = true;
    const int64_t size = static_cast<int64_t>(clips.size()) / (o_.apart ? groups : 1);
    std::vector<Tensor> parts;
    for (auto at = clips.begin(); at != clips.end(); at += size)
      parts.push_back(encoder_.embed(
          at::stack(std::vector<Tensor>(at, at + size)).contiguous(at::MemoryFormat::ChannelsLast3d), pass));
    return at::cat(parts).to(at::kDouble);
  }

  int64_t label_of(int64_t sample) const {
    return static_cast<int64_t>(CounterRandom(11, "snippet order").uniform(sample) *
                                static_cast<double>(orders_.size()));
  }
  const std::vector<int64_t>& order_of(int64_t sample) const { return orders_[label_of(sample)]; }

  Tensor inter_adjacency(const std::vector<int64_t>& order) const {
    const Tensor a = at::zeros({o_.places, o_.places}, at::TensorOptions(at::kDouble));
    if (o_.none) return a;
    for (int64_t t = 0; t < o_.places; ++t)
      for (int64_t s = 0; s < o_.places; ++s)
        if (o_.full ? s != t : order[s] == order[t] + 1 || order[t] == order[s] + 1) a[t][s] = 1;
    return a;
  }
  Tensor intra_adjacency() const {
    const Tensor a = at::zeros({o_.sets, o_.sets}, at::TensorOptions(at::kDouble));
    for (int64_t s = 0; s + 1 < o_.sets; ++s) a[s][s + 1] = a[s + 1][s] = 1;
    return a;
  }

  Tensor convolve(const Tensor& x, const Tensor& adjacency, const std::string& name, int64_t layers) const {
    const Tensor a = adjacency + at::eye(x.size(0), at::TensorOptions(at::kDouble));
    const Tensor root = at::diag(a.sum(1).pow(-0.5));
    Tensor y = x;
    for (int64_t l = 0; l < layers; ++l)
      y = linear(graphs_, name + "." + std::to_string(l), root.mm(a).mm(root).mm(l > 0 ? y.relu() : y));
    return y;
  }

  Tensor view(const Tensor& x, const Tensor& adjacency, const std::string& name, int64_t layers,
              int64_t sample, int64_t graph, int64_t v) const {
    Tensor nodes = x, edges = adjacency.clone();
    if (v == 1 || o_.both) {
      const CounterRandom drops(12, "dropped edges"), masks(12, "masked features");
      const int64_t dim = x.size(1);
      const auto number = [&](int64_t of) { return (of * (o_.places + 1) + graph) * 2 + v; };
      for (int64_t t = 0; t < x.size(0); ++t)
        for (int64_t s = 0; s < x.size(0); ++s)
          if (drops.uniform(number(o_.by_batch && graph > 0 ? 0 : sample) * 4096 + t * 64 + s) < o_.edge_drop)
            edges[t][s] = 0;
      const Tensor kept = at::ones({dim}, at::TensorOptions(at::kDouble));
      for (int64_t d = 0; d < dim; ++d)
        if (masks.uniform(number(sample) * dim + d) < o_.feature_mask) kept[d] = 0;
      nodes = x * kept;
    }
    const Tensor z = convolve(nodes, edges, name, layers);
    return linear(graphs_, "projection.1", at::elu(linear(graphs_, "projection.0", z)));
  }

  Tensor contrast(const Tensor& x, const Tensor& adjacency, const std::string& name, int64_t layers,
                  int64_t sample, int64_t graph) const {
    const auto unit = [](const Tensor& z) { return z / z.norm(2, {1}, true); };
    const Tensor u = unit(view(x, adjacency, name, layers, sample, graph, 0));
    const Tensor w = unit(view(x, adjacency, name, layers, sample, graph, 1));
    const Tensor uw = (u.mm(w.t()) / o_.tau).exp(), uu = (u.mm(u.t()) / o_.tau).exp(),
                 ww = (w.mm(w.t()) / o_.tau).exp();
    const Tensor there = -(uw.diag() / (uw.sum(1) + uu.sum(1) - uu.diag())).log();
    const Tensor back = -(uw.diag() / (uw.sum(0) + ww.sum(1) - ww.diag())).log();
    return ((there + back) / 2).mean();
  }

  Tensor order_logits(const Tensor& h, int64_t sample) const {
    const Tensor all = h.reshape({1, -1});
    std::vector<Tensor> parts;
    for (int64_t p = 0; p < o_.places; ++p) {
      const std::string gate = "gate." + std::to_string(p);
      const Tensor part = h.slice(0, p, p + 1);
      parts.push_back(
          o_.gates ? part * linear(order_, gate + ".1", linear(order_, gate + ".0", all).relu()).sigmoid()
                   : part);
    }
    Tensor hidden = linear(order_, "order.0", at::cat(parts, 1)).relu();
    const Tensor kept = at::ones_like(hidden).detach();
    const CounterRandom random(12, "dropout");
    for (int64_t d = 0; d < o_.dim; ++d)
      kept[0][d] = random.uniform(sample * o_.dim + d) < o_.dropout ? 0 : 1 / (1 - o_.dropout);
    return linear(order_, "order.1", hidden * kept);
  }

  const VideoNet& encoder_;
  const Weights &graphs_, &order_;
  TwinOptions o_;
  std::vector<std::vector<int64_t>> orders_;
};

}  // namespace vssl::engine::testing
