// CATE's projection head: a transformer over a feature and what is to change about it.
#pragma once

#include <string>
#include <vector>

#include "attention.h"

namespace vssl::engine {

// How one encoding becomes a token.
struct TokenSpec {
  std::string name;
  int64_t size = 1;    // of the numbers it is made of, or rows of its table
  bool table = false;  // one whole number that picks a row of a learned table
  int64_t columns() const { return table ? 1 : size; }
};

struct TransformerHeadOptions {
  int64_t in = 0;         // F, width of the pooled feature
  int64_t width = 128;    // d
  int64_t layers = 2;     // blocks
  int64_t heads = 4;      // of attention; divides the width
  int64_t mlp_ratio = 4;  // width of a block's hidden layer / d
  int64_t out = 128;      // D, width of the embedding
  std::vector<TokenSpec> tokens;
};

// f the feature, a_k the numbers of encoding k, LN layer normalisation, all tokens (1 + number of encodings)
// in rows of x:
//
//   x_0 = W f + e_0        x_k = W_k a_k + e_k, or row a_k of table k, + e_k
//   x <- block(x)                                                (attention.h)
//   z = V LN(x_0) + b
//
// The e tell the tokens apart, so their order does not matter. In fp32: these are few numbers.
class TransformerHead {
 public:
  TransformerHead(const TransformerHeadOptions& options, uint64_t seed, const Placement& placement);
  // Features (n, F) -> x_0, (n, d). Made once for a feature that is encoded in several ways.
  Tensor visual_tokens(const Tensor& features) const;
  // x_0 (n, d) with codes (n, columns()): the numbers of all encodings side by side -> (n, D), not normalised
  Tensor forward(const Tensor& visual, const Tensor& codes) const;
  int64_t columns() const;
  Weights& weights() { return weights_; }

 private:
  struct Token {
    Tensor weight, type;
  };

  Weights weights_;
  TransformerHeadOptions options_;
  Token visual_;
  std::vector<Token> tokens_;
  std::vector<TransformerBlock> blocks_;
  std::vector<LayerNorm> last_norm_;
  std::vector<Linear> output_;
};

}  // namespace vssl::engine
