#include "optim_kernels.h"

#include <cmath>

namespace vssl::engine {

namespace {

constexpr int64_t kGrain = 1 << 15;

float* data(const Tensor& t) { return static_cast<float*>(t.mutable_data_ptr()); }

template <typename F>
void for_entries(int64_t count, F&& body) {
  at::parallel_for(0, count, kGrain, [&](int64_t begin, int64_t end) { body(begin, end); });
}

void momentum_loop(float* __restrict p, float* __restrict v, const float* __restrict gradient, int64_t begin,
                   int64_t end, float inner, float outer, float momentum, float decay, float scale,
                   bool nesterov) {
  for (int64_t i = begin; i < end; ++i) {
    const float g = scale * gradient[i] + decay * p[i];
    const float w = momentum * v[i] + inner * g;
    v[i] = w;
    p[i] -= outer * (nesterov ? inner * g + momentum * w : w);
  }
}

// v = momentum v + inner g;  p -= outer (v or its Nesterov form)
void momentum_update(const Tensor& p, const Tensor& v, const Tensor& gradient, const MomentumStep& s,
                     double inner, double outer) {
  float *pp = data(p), *pv = data(v);
  const float* pg = gradient.const_data_ptr<float>();
  for_entries(p.numel(), [&](int64_t begin, int64_t end) {
    momentum_loop(pp, pv, pg, begin, end, static_cast<float>(inner), static_cast<float>(outer),
                  static_cast<float>(s.momentum), static_cast<float>(s.decay), static_cast<float>(s.scale),
                  s.nesterov);
  });
}

}  // namespace

void sgd_update(const Tensor& p, const Tensor& v, const Tensor& gradient, const MomentumStep& s) {
  momentum_update(p, v, gradient, s, 1, s.lr);
}

void lars_update(const Tensor& p, const Tensor& v, const Tensor& gradient, const MomentumStep& s) {
  momentum_update(p, v, gradient, s, s.lr, 1);
}

void adamw_update(const Tensor& p, const Tensor& m, const Tensor& v, const Tensor& gradient,
                  const AdamStep& s) {
  const double rate = s.lr / s.correction1, root = std::sqrt(s.correction2);
  float *pp = data(p), *pm = data(m), *pv = data(v);
  const float* pg = gradient.const_data_ptr<float>();
  const auto b1 = static_cast<float>(s.beta1), b2 = static_cast<float>(s.beta2),
             eps = static_cast<float>(s.eps);
  const auto keep = static_cast<float>(1 - s.lr * s.decay), scale = static_cast<float>(s.scale);
  const auto r = static_cast<float>(rate), inverse_root = static_cast<float>(1 / root);
  for_entries(p.numel(), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float g = scale * pg[i];
      const float a = b1 * pm[i] + (1 - b1) * g, b = b2 * pv[i] + (1 - b2) * g * g;
      pm[i] = a;
      pv[i] = b;
      pp[i] = keep * pp[i] - r * a / (std::sqrt(b) * inverse_root + eps);
    }
  });
}

double square_sum(const Tensor& g, double scale, const Tensor& p, double decay) {
  const float* pg = g.const_data_ptr<float>();
  const float* pp = p.defined() ? p.const_data_ptr<float>() : nullptr;
  const int64_t pieces = (g.numel() + kGrain - 1) / kGrain;
  std::vector<double> sums(static_cast<size_t>(pieces));
  at::parallel_for(0, pieces, 1, [&](int64_t first, int64_t last) {
    for (int64_t piece = first; piece < last; ++piece) {
      const int64_t end = std::min(g.numel(), (piece + 1) * kGrain);
      double lanes[8] = {};
      for (int64_t i = piece * kGrain; i < end; ++i) {
        const double x = scale * pg[i] + (pp ? decay * pp[i] : 0.0);
        lanes[i & 7] += x * x;
      }
      for (const double lane : lanes) sums[piece] += lane;
    }
  });
  double total = 0;
  for (const double s : sums) total += s;
  return total;
}

}  // namespace vssl::engine
