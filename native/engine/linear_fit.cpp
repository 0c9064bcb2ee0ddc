// Multinomial logistic regression on frozen features: full batch, double precision, L-BFGS.
//
//   minimise  mean_i [ -log softmax(W x_i + b)[y_i] ] + weightDecay / 2 |W|^2
//
// x are the features, divided by their length when `normalize` is set (CVRL's protocol), then centred: the
// shift is absorbed by the bias, so the solution is the same, but the problem is better conditioned.
#include <cmath>
#include <deque>

#include "../common/ending.h"
#include "../common/memory.h"
#include "errors.h"
#include "runtime.h"

namespace vssl::engine {

namespace {

const auto kDouble = at::TensorOptions().dtype(at::kDouble);

struct Problem {
  Tensor x;       // (n, dim), centred
  Tensor labels;  // (n), int64
  int64_t classes;
  double decay;

  // w: (classes, dim + 1), the last column is the bias. Writes the gradient, same shape.
  double loss(Tensor& gradient, const Tensor& w) const {
    const int64_t n = x.size(0), dim = x.size(1);
    const Tensor weight = w.slice(1, 0, dim), bias = w.select(1, dim);
    const Tensor log_p = at::log_softmax(at::addmm(bias, x, weight.t()), 1);
    const double fit = -log_p.gather(1, labels.unsqueeze(1)).mean().item<double>();
    Tensor residual = log_p.exp();  // (n, classes)
    residual.scatter_add_(1, labels.unsqueeze(1), at::full({n, 1}, -1.0, kDouble));
    residual.div_(static_cast<double>(n));
    gradient = at::empty_like(w);
    gradient.slice(1, 0, dim).copy_(at::addmm(weight, residual.t(), x, decay));
    gradient.select(1, dim).copy_(residual.sum(0));
    return fit + 0.5 * decay * weight.square().sum().item<double>();
  }
};

double flat_dot(const Tensor& a, const Tensor& b) { return at::dot(a.flatten(), b.flatten()).item<double>(); }

// Nocedal & Wright, algorithm 7.4.
class InverseHessian {
 public:
  Tensor direction(const Tensor& gradient) const {
    Tensor q = gradient.neg();
    std::vector<double> alphas(pairs_.size());
    for (size_t i = pairs_.size(); i-- > 0;) {
      alphas[i] = flat_dot(pairs_[i].s, q) / pairs_[i].sy;
      q.sub_(pairs_[i].y, alphas[i]);
    }
    if (!pairs_.empty()) q.mul_(pairs_.back().sy / flat_dot(pairs_.back().y, pairs_.back().y));
    for (size_t i = 0; i < pairs_.size(); ++i)
      q.add_(pairs_[i].s, alphas[i] - flat_dot(pairs_[i].y, q) / pairs_[i].sy);
    return q;
  }
  void add(const Tensor& s, const Tensor& y) {
    const double sy = flat_dot(s, y);
    if (!(sy > 1e-300)) return;
    pairs_.push_back({s, y, sy});
    if (pairs_.size() > 16) pairs_.pop_front();
  }

 private:
  struct Pair {
    Tensor s, y;
    double sy;
  };
  std::deque<Pair> pairs_;
};

struct Solution {
  Tensor w;
  double loss;
  int64_t iterations = 0;
};

Solution minimise(const Problem& problem, int64_t max_iterations, double tolerance) {
  Solution at{at::zeros({problem.classes, problem.x.size(1) + 1}, kDouble), 0};
  Tensor gradient;
  at.loss = problem.loss(gradient, at.w);
  InverseHessian memory;
  for (; at.iterations < max_iterations; ++at.iterations) {
    const double steepest = gradient.abs().max().item<double>();
    if (!(steepest > tolerance)) break;
    const Tensor direction = memory.direction(gradient);
    const double slope = flat_dot(direction, gradient);
    // The first direction has the gradient's scale, later ones the inverse Hessian's.
    double step = at.iterations == 0 ? 1.0 / std::sqrt(flat_dot(gradient, gradient)) : 1.0;
    Tensor next, next_gradient;
    double next_loss = 0;
    bool found = false;
    ending::check();
    for (int tries = 0; tries < 40 && !found; ++tries, step *= 0.5) {
      next = at.w + direction * step;
      next_loss = problem.loss(next_gradient, next);
      found = next_loss <= at.loss + 1e-4 * step * slope;
    }
    if (!found) break;  // at the limit of double precision
    memory.add(next - at.w, next_gradient - gradient);
    at.w = next;
    at.loss = next_loss;
    gradient = next_gradient;
  }
  return at;
}

Tensor rows_of(const float* data, int64_t rows, int64_t dim, bool normalize, const char* what) {
  Tensor x = at::from_blob(const_cast<float*>(data), {rows, dim}, at::TensorOptions().dtype(at::kFloat))
                 .to(at::kDouble);
  if (!at::isfinite(x).all().item<bool>())
    throw_invalid(std::string(what) + " features contain NaN or infinity");
  if (normalize) x = x / x.norm(2, {1}, true).clamp_min(1e-12);
  return x;
}

}  // namespace

LinearFit fit_linear(const float* train, const int32_t* labels, int64_t train_rows, const float* test,
                     int64_t test_rows, int64_t dim, int64_t classes, const Value& options) {
  return translated([&] {
    const CallScope scope(false);
    check_keys(options, {"weightDecay", "maxIterations", "normalize", "tolerance"}, "fitLinear");
    if (train_rows < 1 || test_rows < 0 || dim < 1 || classes < 2)
      throw_invalid("fitLinear needs at least 1 training row, 1 dimension and 2 classes");
    for (int64_t i = 0; i < train_rows; ++i)
      if (labels[i] < 0 || labels[i] >= classes)
        throw_invalid("label " + std::to_string(labels[i]) + " of row " + std::to_string(i) +
                      " is not in 0.." + std::to_string(classes - 1));
    // Features in double three times over; weights, their gradients and the 10 pairs that the search
    // remembers; scores of rows.
    const double columns = static_cast<double>(dim) + 1, kinds = static_cast<double>(classes);
    const double rows = static_cast<double>(train_rows) + static_cast<double>(test_rows);
    check_memory(sizeof(double) * (3 * rows * columns + 24 * kinds * columns + 2 * rows * kinds),
                 "a probe of " + std::to_string(train_rows) + " rows of " + std::to_string(dim) + " and " +
                     std::to_string(classes) + " classes");
    const bool normalize = options.get_bool("normalize", true);
    const int64_t iterations = int_in(options, "maxIterations", 500, 1, 1000000);
    const double tolerance = number_in(options, "tolerance", 1e-6, 0, 1);

    const Tensor x = rows_of(train, train_rows, dim, normalize, "training");
    const Tensor mean = x.mean({0}, true);
    const Tensor y =
        at::from_blob(const_cast<int32_t*>(labels), {train_rows}, at::TensorOptions().dtype(at::kInt))
            .to(at::kLong);
    const Problem problem{x - mean, y, classes, number_in(options, "weightDecay", 1e-5, 0, 1e6)};
    const Solution solution = minimise(problem, iterations, tolerance);

    const Tensor weight = solution.w.slice(1, 0, dim), bias = solution.w.select(1, dim);
    LinearFit fit;
    const Tensor guessed = at::addmm(bias, problem.x, weight.t()).argmax(1);
    fit.train_accuracy = guessed.eq(y).to(at::kDouble).mean().item<double>();
    fit.loss = solution.loss;
    fit.iterations = solution.iterations;
    if (test_rows > 0)
      fit.scores =
          to_floats(at::addmm(bias, rows_of(test, test_rows, dim, normalize, "test") - mean, weight.t())
                        .to(at::kFloat));
    return fit;
  });
}

}  // namespace vssl::engine
