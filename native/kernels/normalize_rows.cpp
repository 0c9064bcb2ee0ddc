// L2 normalisation of rows and the gradient through it: arguments and schedule. Equations in kernels.h, inner
// loops in spans.inl.
#include <algorithm>

#include "kernels.h"
#include "span_schedule.h"
#include "spans.h"

namespace vssl {
namespace {

// Calls work(first row, count).
template <typename Work>
void over_rows(int64_t rows, int64_t dim, int matrices, int threads, const Work& work) {
  const double bytes = static_cast<double>(rows) * static_cast<double>(dim) * matrices * sizeof(float);
  const int team = useful_threads(threads, bytes, spans::kBytesPerThread);
  const int64_t step = spans::columns_per_ticket(rows, matrices * dim, team);
  Phase phase;
  phase.reset((rows + step - 1) / step);
  run_team(team, [&] {
    phase.run([&](int64_t ticket) { work(ticket * step, std::min(step, rows - ticket * step)); });
  });
}

void validate(const void* out, const void* in, int64_t rows, int64_t dim, int threads) {
  expect_memory(out, in);
  expect_range(rows, 1, most_beside(1), "rows");
  expect_range(dim, 1, most_beside(rows), "dim");
  expect_threads(threads);
}

}  // namespace

void normalize_rows(float* z, const float* x, int64_t rows, int64_t dim, int threads) {
  validate(z, x, rows, dim, threads);
  const spans::SpanKernels& kernels = spans::span_kernels();
  over_rows(rows, dim, 2, threads,
            [&](int64_t row, int64_t count) { kernels.normalize(z + row * dim, x + row * dim, count, dim); });
}

void normalize_rows_backward(float* gradient, const float* grad_z, const float* x, int64_t rows, int64_t dim,
                             int threads) {
  validate(gradient, x, rows, dim, threads);
  expect_memory(gradient, grad_z);
  const spans::SpanKernels& kernels = spans::span_kernels();
  over_rows(rows, dim, 3, threads, [&](int64_t row, int64_t count) {
    const int64_t at = row * dim;
    kernels.normalize_backward(gradient + at, grad_z + at, x + at, count, dim);
  });
}

}  // namespace vssl
