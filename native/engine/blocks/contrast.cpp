#include "contrast.h"

#include <limits>

#include "../errors.h"
#include "rows.h"

namespace vssl::engine {

Tensor contrast_logits(const Tensor& queries, const Tensor& keys, double temperature) {
  return at::matmul(unit_rows(queries), unit_rows(keys).transpose(-2, -1)) / temperature;
}

Tensor contrast(const Tensor& logits, const Tensor& targets, const Tensor& excluded, Positives positives) {
  const bool by_index = targets.scalar_type() == at::kLong;
  const auto shape = by_index ? logits.sizes().slice(0, logits.dim() - 1) : logits.sizes();
  if (targets.sizes() != shape || (excluded.defined() && excluded.sizes() != logits.sizes()))
    throw_invalid("a contrast of logits " + shape_text(logits.sizes()) + " needs targets " +
                  shape_text(shape) + " and exclusions " + shape_text(logits.sizes()) + ", got targets " +
                  shape_text(targets.sizes()));
  const Tensor x =
      excluded.defined() ? logits.masked_fill(excluded, -std::numeric_limits<double>::infinity()) : logits;
  const Tensor log_p = x.log_softmax(-1);
  if (by_index) return -log_p.gather(-1, targets.unsqueeze(-1)).squeeze(-1);

  const Tensor any = targets.sum(-1), positive = targets.gt(0);
  const Tensor has = any.gt(0);
  Tensor loss;
  if (positives == Positives::kOutside) {
    loss = -at::where(positive, log_p, at::zeros_like(log_p)).mul(targets).sum(-1) / any.clamp_min(1e-30);
  } else {
    // A row without positives takes all keys here, and 0 below: no infinite number enters the gradient.
    const Tensor counted = positive.logical_or(has.unsqueeze(-1).logical_not());
    const Tensor log_w = at::where(positive, targets, at::ones_like(targets)).log();
    loss = -(log_p + log_w)
                .masked_fill(counted.logical_not(), -std::numeric_limits<double>::infinity())
                .logsumexp({-1});
  }
  return at::where(has, loss, at::zeros_like(loss));
}

}  // namespace vssl::engine
