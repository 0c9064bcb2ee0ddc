#include "transformer_head.h"

#include <cmath>

namespace vssl::engine {

namespace {

double fan_in(int64_t n) { return 1 / std::sqrt(static_cast<double>(n)); }

}  // namespace

TransformerHead::TransformerHead(const TransformerHeadOptions& options, uint64_t seed,
                                 const Placement& placement)
    : weights_(placement), options_(options) {
  const auto& o = options_;
  const Scope root(weights_, seed);
  const Scope visual = root / "visual";
  visual_ = {visual.normal("weight", {o.width, o.in}, fan_in(o.in)), visual.normal("type", {o.width}, 0.02)};
  for (const auto& token : o.tokens) {
    const Scope scope = root / "token" / token.name;
    // e_k begins as large as W_k a_k gets: with a smaller one layer normalisation would take the size of a_k
    // away and leave its sign.
    const Tensor type = scope.normal("type", {o.width}, 1);
    if (token.table)
      tokens_.push_back({scope.normal("table", {token.size, o.width}, 1), type});
    else
      tokens_.push_back({scope.normal("weight", {o.width, token.size}, fan_in(token.size)), type});
  }
  for (int64_t i = 0; i < o.layers; ++i)
    blocks_.emplace_back(root / "block" / i, o.width, o.heads, o.mlp_ratio);
  last_norm_.emplace_back(root / "norm", o.width);
  output_.emplace_back(root / "output", o.width, o.out, 1.0);
}

int64_t TransformerHead::columns() const {
  int64_t columns = 0;
  for (const auto& token : options_.tokens) columns += token.columns();
  return columns;
}

Tensor TransformerHead::visual_tokens(const Tensor& features) const {
  return at::linear(features.to(at::kFloat), visual_.weight) + visual_.type;
}

Tensor TransformerHead::forward(const Tensor& visual, const Tensor& codes) const {
  std::vector<Tensor> sequence{visual};
  int64_t column = 0;
  for (size_t k = 0; k < tokens_.size(); ++k) {
    const int64_t columns = options_.tokens[k].columns();
    const Tensor code = codes.slice(1, column, column + columns);
    column += columns;
    sequence.push_back((options_.tokens[k].table
                            ? tokens_[k].weight.index_select(0, code.squeeze(1).to(at::kLong))
                            : at::linear(code, tokens_[k].weight)) +
                       tokens_[k].type);
  }
  Tensor x = at::stack(sequence, 1);
  // Nothing but the visual token is read out, so the last block computes no other.
  for (size_t i = 0; i < blocks_.size(); ++i)
    x = blocks_[i].forward(x, i + 1 == blocks_.size() ? 1 : x.size(1));
  return output_[0].forward(last_norm_[0].forward(x.select(1, 0)), Pass{});
}

}  // namespace vssl::engine
