#include "order_head.h"

#include <algorithm>

namespace vssl::engine {

OrderHead::OrderHead(const OrderHeadOptions& o, uint64_t seed, const Placement& placement)
    : weights_(placement) {
  const Scope root(weights_, seed);
  const double gain = 1.4142135623730951;  // He: before a ReLU
  const int64_t all = o.places * o.dim, narrow = std::max<int64_t>(o.dim / 2, 1);
  for (int64_t p = 0; o.gates && p < o.places; ++p) {
    squeeze_.emplace_back(root / "gate" / p / 0, all, narrow, gain);
    excite_.emplace_back(root / "gate" / p / 1, narrow, o.dim, 1.0);
  }
  output_.emplace_back(root / "order" / 0, all, o.dim, gain);
  output_.emplace_back(root / "order" / 1, o.dim, o.classes, 1.0);
}

Tensor OrderHead::forward(const Tensor& features, const Tensor& kept) const {
  const Pass pass;  // few numbers: in fp32
  Tensor all = features.flatten(1);
  if (!squeeze_.empty()) {
    std::vector<Tensor> gates;
    for (size_t p = 0; p < squeeze_.size(); ++p)
      gates.push_back(excite_[p].forward(at::relu(squeeze_[p].forward(all, pass)), pass).sigmoid());
    all = all * at::cat(gates, 1);
  }
  Tensor hidden = at::relu(output_[0].forward(all, pass));
  if (kept.defined()) hidden = hidden * kept;
  return output_[1].forward(hidden, pass);
}

}  // namespace vssl::engine
