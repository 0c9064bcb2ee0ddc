// The general contrast: queries against keys, any of which may be positives, and any left out.
//
//   x_ij = <q_i, k_j> / tau over L2-normalised rows,   p_ij = e^{x_ij} / sum over j' not excluded of
//   e^{x_ij'}
//
//   outside   L_i = -sum_j w_ij log p_ij / sum_j w_ij         mean of the logarithms (SupCon)
//   inside    L_i = -log( sum_j w_ij p_ij )                   logarithm of the sum (MIL-NCE)
//
// One positive a row is the usual case, in which both are the same. NT-Xent is this with z as queries and
// keys, the other view's row as the positive and the row itself excluded; InfoNCE is this with a row's own
// key and the queue's keys. Both have fused kernels (losses.h, key_queue.h), which are to be used where they
// apply.
#pragma once

#include "../tensor.h"

namespace vssl::engine {

enum class Positives { kOutside, kInside };

// x of queries (..., n, D) and keys (..., m, D): (..., n, m).
Tensor contrast_logits(const Tensor& queries, const Tensor& keys, double temperature);

// L of logits (..., n, m): (..., n).
// targets: (..., n) whole numbers, the positive of each row; or (..., n, m) of a floating type, the weights w
// >= 0. A row whose weights are all 0 has the loss 0. excluded: (..., n, m) bool, undefined for none.
// Positives must not be excluded, and a row must have a key left.
Tensor contrast(const Tensor& logits, const Tensor& targets, const Tensor& excluded = {},
                Positives positives = Positives::kOutside);

}  // namespace vssl::engine
