#include "reference.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace vssl {
namespace {

constexpr double kNormEps = 1e-12;  // F.normalize

double dot(const double* a, const double* b, int64_t n) {
  double sum = 0;
  for (int64_t k = 0; k < n; ++k) sum += a[k] * b[k];
  return sum;
}

// d/dx of x / max(|x|, eps), applied to the gradient g at z = x / max(|x|, eps).
void backward_through_normalize(double* g, const double* z, double norm, int64_t dim) {
  const double along = norm > kNormEps ? dot(g, z, dim) : 0.0;
  const double inverse = 1 / std::max(norm, kNormEps);
  for (int64_t k = 0; k < dim; ++k) g[k] = (g[k] - along * z[k]) * inverse;
}

}  // namespace

NtXentResult nt_xent_reference(double* gradient, const double* embeddings, int64_t rows, int64_t dim,
                               const NtXentOptions& options) {
  const double tau = options.temperature;
  std::vector<double> z(embeddings, embeddings + rows * dim);
  std::vector<double> norms(rows, 1.0);
  if (options.normalize) {
    for (int64_t i = 0; i < rows; ++i) {
      norms[i] = std::sqrt(dot(&z[i * dim], &z[i * dim], dim));
      for (int64_t k = 0; k < dim; ++k) z[i * dim + k] /= std::max(norms[i], kNormEps);
    }
  }
  if (gradient != nullptr) std::fill(gradient, gradient + rows * dim, 0.0);

  NtXentResult result;
  std::vector<double> s(rows);
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t positive = (i + rows / 2) % rows;
    for (int64_t j = 0; j < rows; ++j) s[j] = dot(&z[i * dim], &z[j * dim], dim) / tau;
    double top = -INFINITY;
    for (int64_t j = 0; j < rows; ++j) {
      if (j != i && s[j] > top) top = s[j];
    }
    double sum = 0;
    for (int64_t j = 0; j < rows; ++j) {
      if (j != i) sum += std::exp(s[j] - top);
    }
    const double log_sum = top + std::log(sum);
    result.loss += (log_sum - s[positive]) / static_cast<double>(rows);
    if (gradient == nullptr) continue;
    for (int64_t j = 0; j < rows; ++j) {
      if (j == i) continue;
      const double weight = (std::exp(s[j] - log_sum) - (j == positive ? 1 : 0)) / static_cast<double>(rows);
      result.grad_temperature -= weight * s[j] / tau;
      for (int64_t k = 0; k < dim; ++k) {
        gradient[i * dim + k] += weight / tau * z[j * dim + k];
        gradient[j * dim + k] += weight / tau * z[i * dim + k];
      }
    }
  }
  if (gradient != nullptr && options.normalize) {
    for (int64_t i = 0; i < rows; ++i)
      backward_through_normalize(gradient + i * dim, &z[i * dim], norms[i], dim);
  }
  return result;
}

double info_nce_reference(double* gradient, const double* queries, const double* keys, int64_t rows,
                          int64_t dim, const double* queue_keys, const double* ages, int64_t length,
                          const MomentumQueueOptions& queue_options, const InfoNceOptions& options,
                          const int64_t* queue_ids) {
  const double tau = options.temperature;
  const bool on_logit = queue_options.decay_on == DecayOn::kLogit;
  double loss = 0;
  std::vector<double> z(dim), p(dim), g(dim), x(length), powers(length);
  for (int64_t j = 0; j < length; ++j) powers[j] = std::pow(queue_options.decay, ages[j]);
  for (int64_t i = 0; i < rows; ++i) {
    std::copy_n(queries + i * dim, dim, z.begin());
    std::copy_n(keys + i * dim, dim, p.begin());
    double norm = 1;
    if (options.normalize) {
      norm = std::sqrt(dot(z.data(), z.data(), dim));
      const double key_norm = std::sqrt(dot(p.data(), p.data(), dim));
      for (int64_t k = 0; k < dim; ++k) z[k] /= std::max(norm, kNormEps);
      for (int64_t k = 0; k < dim; ++k) p[k] /= std::max(key_norm, kNormEps);
    }
    const double positive = dot(z.data(), p.data(), dim) / tau;
    double top = positive;
    for (int64_t j = 0; j < length; ++j) {
      const double s = dot(z.data(), &queue_keys[j * dim], dim) / tau;
      x[j] = on_logit ? powers[j] * s : s + std::log(queue_options.decay) * ages[j];
      const bool is_own = queue_ids != nullptr && options.ids != nullptr && options.ids[i] >= 0 &&
                          options.ids[i] == queue_ids[j];
      if (is_own) x[j] = -std::numeric_limits<double>::infinity();
      top = std::max(top, x[j]);
    }
    double sum = std::exp(positive - top);
    for (int64_t j = 0; j < length; ++j) sum += std::exp(x[j] - top);
    const double log_sum = top + std::log(sum);
    loss += (log_sum - positive) / static_cast<double>(rows);
    if (gradient == nullptr) continue;
    for (int64_t k = 0; k < dim; ++k) g[k] = (std::exp(positive - log_sum) - 1) * p[k];
    for (int64_t j = 0; j < length; ++j) {
      const double weight = std::exp(x[j] - log_sum) * (on_logit ? powers[j] : 1);
      for (int64_t k = 0; k < dim; ++k) g[k] += weight * queue_keys[j * dim + k];
    }
    for (int64_t k = 0; k < dim; ++k) g[k] /= static_cast<double>(rows) * tau;
    if (options.normalize) backward_through_normalize(g.data(), z.data(), norm, dim);
    std::copy_n(g.begin(), dim, gradient + i * dim);
  }
  return loss;
}

void dct_reference(double* out, const double* clip, int64_t frames, int64_t pixels,
                   const DctOptions& options) {
  const double pi = std::acos(-1.0), n = static_cast<double>(frames);
  const int64_t keep = options.keep > 0 ? options.keep : frames;
  const int64_t rows_in = options.inverse ? keep : frames, rows_out = options.inverse ? frames : keep;
  for (int64_t r = 0; r < rows_out; ++r) {
    for (int64_t p = 0; p < pixels; ++p) {
      double sum = 0;
      for (int64_t j = 0; j < rows_in; ++j) {
        const int64_t t = options.inverse ? r : j, k = options.inverse ? j : r;
        const double scale = std::sqrt((k == 0 ? 1 : 2) / n);
        sum += scale * std::cos(pi * static_cast<double>((2 * t + 1) * k) / (2 * n)) * clip[j * pixels + p];
      }
      out[r * pixels + p] = sum;
    }
  }
}

void dct_motion_reference(double* out, const double* clip, int64_t frames, int64_t pixels,
                          const DctMotionOptions& options) {
  std::vector<double> coefficients(frames * pixels), signal(frames * pixels);
  DctOptions transform;
  dct_reference(coefficients.data(), clip, frames, pixels, transform);
  std::fill_n(coefficients.begin(), options.drop_low * pixels, 0.0);
  transform.inverse = true;
  dct_reference(signal.data(), coefficients.data(), frames, pixels, transform);
  if (options.output == MotionOutput::kSignal) {
    std::copy(signal.begin(), signal.end(), out);
    return;
  }
  for (int64_t p = 0; p < pixels; ++p) {
    out[p] = 0;
    for (int64_t t = 0; t < frames; ++t) out[p] += signal[t * pixels + p] * signal[t * pixels + p];
  }
}

void frame_difference_reference(double* out, const double* clip, int64_t frames, int64_t pixels) {
  for (int64_t i = 0; i < (frames - 1) * pixels; ++i) out[i] = clip[i + pixels] - clip[i];
}

void ema_update_reference(double* target, const double* source, int64_t size, double momentum) {
  for (int64_t i = 0; i < size; ++i) target[i] = momentum * target[i] + (1 - momentum) * source[i];
}

void normalize_rows_reference(double* z, const double* x, int64_t rows, int64_t dim) {
  for (int64_t i = 0; i < rows; ++i) {
    const double norm = std::sqrt(dot(x + i * dim, x + i * dim, dim));
    for (int64_t k = 0; k < dim; ++k) z[i * dim + k] = x[i * dim + k] / std::max(norm, kNormEps);
  }
}

void normalize_rows_backward_reference(double* gradient, const double* grad_z, const double* x, int64_t rows,
                                       int64_t dim) {
  std::vector<double> z(rows * dim);
  normalize_rows_reference(z.data(), x, rows, dim);
  std::copy(grad_z, grad_z + rows * dim, gradient);
  for (int64_t i = 0; i < rows; ++i) {
    const double norm = std::sqrt(dot(x + i * dim, x + i * dim, dim));
    backward_through_normalize(gradient + i * dim, &z[i * dim], norm, dim);
  }
}

void topk_dot_reference(int32_t* indices, double* scores, const double* queries, int64_t query_count,
                        const double* rows, int64_t count, int64_t dim, int64_t k) {
  const int64_t given = std::min(k, count);
  std::vector<double> s(count);
  std::vector<int32_t> order(count);
  for (int64_t i = 0; i < query_count; ++i) {
    for (int64_t j = 0; j < count; ++j) s[j] = dot(queries + i * dim, rows + j * dim, dim);
    std::iota(order.begin(), order.end(), 0);
    // Stable, so that equal rows stay in order; NaN is after every number.
    std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
      return std::isnan(s[b]) ? !std::isnan(s[a]) : s[a] > s[b];
    });
    for (int64_t j = 0; j < given; ++j) {
      indices[i * given + j] = order[j];
      scores[i * given + j] = s[order[j]];
    }
  }
}

}  // namespace vssl
