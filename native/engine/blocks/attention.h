// Transformer blocks over short sequences of tokens, in fp32: these are few numbers.
#pragma once

#include "../layers/layers.h"

namespace vssl::engine {

// Layer normalisation over the last dimension.
class LayerNorm {
 public:
  LayerNorm(const Scope& scope, int64_t width)
      : weight_(scope.constant("weight", {width}, 1)), bias_(scope.constant("bias", {width}, 0)) {}
  Tensor forward(const Tensor& x) const { return at::layer_norm(x, {x.size(-1)}, weight_, bias_, 1e-5); }

 private:
  Tensor weight_, bias_;
};

// x <- x + Attention(LN(x));  x <- x + W'' gelu(W' LN(x)), W': width -> ratio width.
class TransformerBlock {
 public:
  TransformerBlock(const Scope& scope, int64_t width, int64_t heads, int64_t mlp_ratio);
  // x (n, L, width) -> (n, queries, width): the first tokens ask, all of them answer.
  Tensor forward(const Tensor& x, int64_t queries) const;

 private:
  Tensor attend(const Tensor& x, int64_t queries) const;

  int64_t heads_;
  LayerNorm norm1_, norm2_;
  Linear qkv_, mix_, up_, down_;
};

}  // namespace vssl::engine
