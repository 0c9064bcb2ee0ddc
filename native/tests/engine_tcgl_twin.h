// TCGL once more, from its formulas in double precision: plain loops for its parts, and a whole step sample
// by sample and graph by graph.
#pragma once

#include <algorithm>
#include <array>
#include <set>

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
  bool full, none, both, by_batch, gates, apart, batch_negatives, separate;
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
          o.get_bool("batchNegatives", false),
          o.get_bool("separateViews", false),
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

  // Nothing is learned of the samples that `held` names.
  std::map<std::string, double> step(const std::vector<Rows>& views, int64_t chunks,
                                     const std::set<int64_t>& held = {}) {
    std::map<std::string, double> losses{{"loss", 0}};
    const int64_t samples = views[0].data.size(0), n = samples - static_cast<int64_t>(held.size());
    for (int64_t c = 0; c < chunks; ++c) {
      std::vector<int64_t> rows;
      for (int64_t i = samples * c / chunks; i < samples * (c + 1) / chunks; ++i)
        if (held.count(i) == 0) rows.push_back(i);
      const std::map<std::string, Tensor> parts = chunk_losses(views, rows);
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

  // The part of the samples whose order is told right, by an encoder in evaluation.
  double accuracy(const VideoNet& encoder, const std::vector<Rows>& views,
                  const std::set<int64_t>& of) const {
    double right = 0;
    for (const int64_t i : of) {
      std::vector<Tensor> nodes;
      for (int64_t p = 0; p < o_.places; ++p) {
        const Tensor clip = without_low(views[order_of(i)[p]].data[i], o_.drop).unsqueeze(0);
        nodes.push_back(
            encoder.embed(clip.contiguous(at::MemoryFormat::ChannelsLast3d), Pass()).to(at::kDouble)[0]);
      }
      const Tensor h = convolve(at::stack(nodes), inter_adjacency(order_of(i)), "inter", o_.layers);
      right += order_logits(h, -1).argmax(1).item<int64_t>() == label_of(i);
    }
    return right / static_cast<double>(of.size());
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
  std::map<std::string, Tensor> chunk_losses(const std::vector<Rows>& views,
                                             const std::vector<int64_t>& rows) {
    const int64_t frames = views[0].data.size(2) / o_.sets, draws = o_.separate ? 2 : 1;
    std::vector<Tensor> snippets, sets;  // by draw, place, sample; by draw, place, set, sample
    for (int64_t p = 0; p < draws * o_.places; ++p) {
      const auto clip = [&](int64_t i) {
        return views[p / o_.places * o_.places + order_of(i)[p % o_.places]].data[i];
      };
      for (const int64_t i : rows) snippets.push_back(without_low(clip(i), o_.drop));
      for (int64_t s = 0; s < o_.sets; ++s)
        for (const int64_t i : rows)
          sets.push_back(without_low(clip(i).slice(1, s * frames, (s + 1) * frames), o_.drop)
                             .repeat_interleave(o_.repeat, 1));
    }
    const auto n = static_cast<int64_t>(rows.size());
    const Tensor of_snippets = embed(snippets, draws * o_.places),
                 of_sets = embed(sets, draws * o_.places * o_.sets);
    std::map<std::string, Tensor> sums;
    const auto add = [&](const char* name, const Tensor& value) {
      sums[name] = sums[name].defined() ? sums[name] + value : value;
    };
    Graphs inter, intra;
    for (int64_t k = 0; k < n; ++k) {
      const int64_t i = rows[k];
      const auto snippet_nodes = [&](int64_t draw) {
        std::vector<Tensor> nodes;
        for (int64_t p = 0; p < o_.places; ++p) nodes.push_back(of_snippets[(draw * o_.places + p) * n + k]);
        return at::stack(nodes);
      };
      const Tensor x = snippet_nodes(0), adjacency = inter_adjacency(order_of(i));
      add_views(inter, {x, snippet_nodes(draws - 1)}, adjacency, "inter", o_.layers, i, 0);
      const Tensor logits = order_logits(convolve(x, adjacency, "inter", o_.layers), i);
      const int64_t label = label_of(i);
      add("order", -logits.log_softmax(1)[0][label]);
      add("orderAccuracy", logits.argmax(1).eq(label).to(at::kDouble)[0]);
      for (int64_t p = 0; p < o_.places; ++p) {
        const auto set_nodes = [&](int64_t draw) {
          std::vector<Tensor> nodes;
          for (int64_t s = 0; s < o_.sets; ++s)
            nodes.push_back(of_sets[((draw * o_.places + p) * o_.sets + s) * n + k]);
          return at::stack(nodes);
        };
        add_views(intra, {set_nodes(0), set_nodes(draws - 1)}, intra_adjacency(),
                  "intra." + std::to_string(p), 1, i, p + 1);
      }
    }
    sums["inter"] = mean_contrast(inter) * static_cast<double>(n);
    sums["intra"] = mean_contrast(intra) * static_cast<double>(n);
    return sums;
  }

  // Both views of graphs, projected, (V, dim) each.
  using Graphs = std::array<std::vector<Tensor>, 2>;

  void add_views(Graphs& to, const std::array<Tensor, 2>& nodes, const Tensor& adjacency,
                 const std::string& name, int64_t layers, int64_t sample, int64_t graph) const {
    for (int64_t v = 0; v < 2; ++v)
      to[v].push_back(view(nodes[v], adjacency, name, layers, sample, graph, v));
  }

  Tensor mean_contrast(const Graphs& graphs) const {
    if (o_.batch_negatives) return contrast(at::cat(graphs[0]), at::cat(graphs[1]));
    Tensor sum = at::zeros({}, at::TensorOptions(at::kDouble));
    for (size_t g = 0; g < graphs[0].size(); ++g) sum = sum + contrast(graphs[0][g], graphs[1][g]);
    return sum / static_cast<double>(graphs[0].size());
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

  Tensor contrast(const Tensor& first, const Tensor& second) const {
    const auto unit = [](const Tensor& z) { return z / z.norm(2, {1}, true); };
    const Tensor u = unit(first), w = unit(second);
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
    for (int64_t d = 0; d < o_.dim && sample >= 0; ++d)  // none without a sample
      kept[0][d] = random.uniform(sample * o_.dim + d) < o_.dropout ? 0 : 1 / (1 - o_.dropout);
    return linear(order_, "order.1", hidden * kept);
  }

  const VideoNet& encoder_;
  const Weights &graphs_, &order_;
  TwinOptions o_;
  std::vector<std::vector<int64_t>> orders_;
};

}  // namespace vssl::engine::testing
