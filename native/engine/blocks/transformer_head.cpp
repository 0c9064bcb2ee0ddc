#include "transformer_head.h"

#include <cmath>

#include "../errors.h"

namespace vssl::engine {

namespace {

double fan_in(int64_t n) { return 1 / std::sqrt(static_cast<double>(n)); }

}  // namespace

TransformerHead::TransformerHead(const TransformerHeadOptions& options, uint64_t seed,
                                 const Placement& placement)
    : weights_(placement), options_(options) {
  const auto& o = options_;
  if (o.width % o.heads != 0)
    throw_invalid("expected a width that the attention heads divide, got width " + std::to_string(o.width) +
                  " and " + std::to_string(o.heads) + " heads");
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
  const int64_t hidden = o.mlp_ratio * o.width;
  for (int64_t i = 0; i < o.layers; ++i) {
    const Scope scope = root / "block" / i;
    blocks_.push_back({norm(scope / "norm1"), norm(scope / "norm2"),
                       Linear(scope / "qkv", o.width, 3 * o.width, 1),
                       Linear(scope / "mix", o.width, o.width, 1), Linear(scope / "up", o.width, hidden, 1),
                       Linear(scope / "down", hidden, o.width, 1)});
  }
  last_norm_ = norm(root / "norm");
  output_.emplace_back(root / "output", o.width, o.out, 1.0);
}

int64_t TransformerHead::columns() const {
  int64_t columns = 0;
  for (const auto& token : options_.tokens) columns += token.columns();
  return columns;
}

TransformerHead::Norm TransformerHead::norm(const Scope& scope) const {
  return {scope.constant("weight", {options_.width}, 1), scope.constant("bias", {options_.width}, 0)};
}

Tensor TransformerHead::Norm::forward(const Tensor& x) const {
  return at::layer_norm(x, {x.size(-1)}, weight, bias, 1e-5);
}

Tensor TransformerHead::visual_tokens(const Tensor& features) const {
  return at::linear(features.to(at::kFloat), visual_.weight) + visual_.type;
}

// x (n, L, d) -> (n, queries, d): the first tokens ask, all of them answer.
Tensor TransformerHead::attend(const Block& block, const Tensor& x, int64_t queries) const {
  const int64_t n = x.size(0), length = x.size(1), heads = options_.heads;
  const Tensor parts = block.qkv.forward(block.norm1.forward(x), Pass{})
                           .view({n, length, 3, heads, options_.width / heads})
                           .permute({2, 0, 3, 1, 4});
  const Tensor mixed = at::scaled_dot_product_attention(parts[0].slice(2, 0, queries), parts[1], parts[2]);
  return block.mix.forward(mixed.transpose(1, 2).reshape({n, queries, options_.width}), Pass{});
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
  for (size_t i = 0; i < blocks_.size(); ++i) {
    const Block& block = blocks_[i];
    // Nothing but the visual token is read out, so the last block computes no other.
    const int64_t queries = i + 1 == blocks_.size() ? 1 : x.size(1);
    x = x.slice(1, 0, queries) + attend(block, x, queries);
    x = x + block.down.forward(at::gelu(block.up.forward(block.norm2.forward(x), Pass{})), Pass{});
  }
  return output_[0].forward(last_norm_.forward(x.select(1, 0)), Pass{});
}

}  // namespace vssl::engine
