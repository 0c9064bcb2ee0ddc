// Heads that predict, and NT-Xent, from their formulas in double precision.
#pragma once

#include "engine_methods.h"
#include "engine_tcgl_twin.h"

namespace vssl::engine::testing {

// V relu(W x + b) + a in double, from the weights of a head: W, b, V, a.
inline Tensor answer_twin(const std::vector<Tensor>& w, const Tensor& x) {
  const auto exact = [](const Tensor& t) { return t.to(at::kDouble); };
  const Tensor hidden = at::relu(at::mm(exact(x), exact(w[0]).t()) + exact(w[1]));
  return at::mm(hidden, exact(w[2]).t()) + exact(w[3]);
}

// Sum of the losses of some answers, one by one.
inline Tensor loss_twin(const Tensor& answers, const Tensor& targets, bool classes) {
  Tensor sum = at::zeros({}, at::kDouble);
  for (int64_t i = 0; i < answers.size(0); ++i) {
    if (classes) {
      const Tensor chosen = answers[i][targets[i].item<int64_t>()];
      sum = sum + answers[i].exp().sum().log() - chosen;
    } else {
      const Tensor d = (answers[i][0] - targets[i].to(at::kDouble)).abs();
      sum = sum + (d.item<double>() < 1 ? d * d / 2 : d - 0.5);
    }
  }
  return sum;
}

inline Tensor whole_numbers(at::IntArrayRef sizes, int64_t below, uint64_t seed) {
  return (drawn(sizes, seed).abs() * 1000).to(at::kLong).remainder(below);
}

// NT-Xent of rows (2n, D), the mean over them, row by row.
inline Tensor nt_xent_twin(const Tensor& z, double tau) {
  const Tensor x = z.to(at::kDouble), unit = x / x.norm(2, {1}, true);
  const Tensor e = (at::mm(unit, unit.t()) / tau).exp();
  const int64_t rows = z.size(0), n = rows / 2;
  Tensor sum = at::zeros({}, at::kDouble);
  for (int64_t i = 0; i < rows; ++i) sum = sum - (e[i][(i + n) % rows] / (e[i].sum() - e[i][i])).log();
  return sum / static_cast<double>(rows);
}

// Weights of a network as leaves of their own.
inline std::vector<Tensor> own_weights(const Weights& weights) {
  std::vector<Tensor> out;
  for (const Tensor& w : parameters_of(weights)) out.push_back(w.detach().clone().requires_grad_());
  return out;
}

inline std::vector<Tensor> gradients_at(const std::vector<Tensor>& weights) {
  std::vector<Tensor> out;
  for (const Tensor& w : weights) out.push_back(w.grad().defined() ? w.grad() : at::zeros_like(w));
  return out;
}

}  // namespace vssl::engine::testing
