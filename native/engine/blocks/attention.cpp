#include "attention.h"

#include "../errors.h"

namespace vssl::engine {

TransformerBlock::TransformerBlock(const Scope& scope, int64_t width, int64_t heads, int64_t mlp_ratio)
    : heads_(heads),
      norm1_(scope / "norm1", width),
      norm2_(scope / "norm2", width),
      qkv_(scope / "qkv", width, 3 * width, 1),
      mix_(scope / "mix", width, width, 1),
      up_(scope / "up", width, mlp_ratio * width, 1),
      down_(scope / "down", mlp_ratio * width, width, 1) {
  if (width % heads != 0)
    throw_invalid("expected a width that the attention heads divide, got width " + std::to_string(width) +
                  " and " + std::to_string(heads) + " heads");
}

Tensor TransformerBlock::attend(const Tensor& x, int64_t queries) const {
  const int64_t n = x.size(0), length = x.size(1), width = x.size(2);
  const Tensor parts = qkv_.forward(norm1_.forward(x), Pass{})
                           .view({n, length, 3, heads_, width / heads_})
                           .permute({2, 0, 3, 1, 4});
  const Tensor mixed = at::scaled_dot_product_attention(parts[0].slice(2, 0, queries), parts[1], parts[2]);
  return mix_.forward(mixed.transpose(1, 2).reshape({n, queries, width}), Pass{});
}

Tensor TransformerBlock::forward(const Tensor& x, int64_t queries) const {
  const Tensor y = x.slice(1, 0, queries) + attend(x, queries);
  return y + down_.forward(at::gelu(up_.forward(norm2_.forward(y), Pass{})), Pass{});
}

}  // namespace vssl::engine
