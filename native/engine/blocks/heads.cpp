#include "heads.h"

#include "../layers/gradient_scale.h"

namespace vssl::engine {

HeadOptions read_head(Options& options, HeadOptions head) {
  head.layers = options.count("headLayers", 0);
  head.hidden = options.count("headHidden", 0);
  head.out = options.count("headDim", 1);
  head.hidden_norm = options.flag("headNorm");
  return head;
}

ProjectionHead::ProjectionHead(const HeadOptions& o, uint64_t seed, const Placement& placement)
    : weights_(placement), hidden_norm_(o.hidden_norm), output_norm_(o.output_norm) {
  const Scope root(weights_, seed);
  const double gain = 1.4142135623730951;  // He: before a ReLU
  const int64_t hidden = o.hidden == 0 ? o.in : o.hidden;
  int64_t width = o.in;
  for (int64_t i = 0; i < o.layers; ++i) {
    linears_.emplace_back(root / "linear" / i, width, hidden, gain, o.linear_bias);
    if (hidden_norm_) norms_.emplace_back(root / "norm" / i, hidden, o.norm_momentum);
    width = hidden;
  }
  linears_.emplace_back(root / "linear" / o.layers, width, o.out, 1.0, !o.output_norm);
  if (o.output_norm) norms_.emplace_back(root / "norm" / o.layers, o.out, o.norm_momentum, 1e-5, false);
}

Tensor ProjectionHead::forward(const Tensor& features, const Pass& pass) const {
  Tensor x = features;
  for (size_t i = 0; i < linears_.size(); ++i) {
    x = linears_[i].forward(x, pass);
    if (i + 1 == linears_.size()) {
      if (output_norm_) x = norms_.back().forward(x, pass);
    } else {
      x = hidden_norm_ ? norms_[i].forward(x, pass, true) : at::relu(x);
    }
  }
  return leaving(x, pass);
}

}  // namespace vssl::engine
