// NT-Xent's policies for stream_kernel(): the row sums, and the gradient's weights.
//
//   fixed    e = exp2(scale s - shift);                     r_i = 1 / sum_i;  H_ij = e (r_i + r_j) - 2 [j =
//   pos(i)] running  (top_i, log2 of sum_i of exp2(scale (s - top_i)));  H_ij from both rows' own
//   exponentials
//
// Each row's sums and gradient are complete in its own panel, so nothing is added to from two places: the
// columns' sums of the symmetric matrix are computed again by the panels they belong to.
#pragma once

#include "ntxent_plan.h"
#include "rows.cuh"
#include "stream.cuh"

namespace vssl::cuda {

/// Which tiles need a look at each element: they hold the diagonal, a positive, or columns that are not
/// there.
inline __device__ bool is_special(const NtXentPlan& plan, int64_t row0, int rows, int64_t column0) {
  const auto touches = [&](int64_t begin) {
    return begin < column0 + kTileColumns && column0 < begin + rows;
  };
  return touches(row0) || touches(row0 + plan.half) || touches(row0 - plan.half) ||
         column0 + kTileColumns > plan.rows;
}

/// Sum over a panel's rows: block-wide, thread 0 gets it. Called with one value a thread.
inline __device__ void finish_loss(const NtXentPlan& plan, int panel, double loss) {
  double* const scratch = reinterpret_cast<double*>(shared_memory());
  int* const flag = reinterpret_cast<int*>(scratch + kWarp);
  loss = block_sum(loss, scratch);
  if (threadIdx.x == 0) plan.panel_loss[panel] = loss;
  if (!arrives_last(plan.arrivals + plan.panels, plan.panels, flag)) return;
  double sum = 0;
  for (int p = static_cast<int>(threadIdx.x); p < plan.panels; p += static_cast<int>(blockDim.x))
    sum += __ldcg(plan.panel_loss + p);
  sum = block_sum(sum, scratch);
  if (threadIdx.x == 0) {
    plan.result->loss = sum / static_cast<double>(plan.rows);
    if (plan.gradient == nullptr) plan.result->grad_temperature = 0;
  }
}

/// Merges a row's partial sums in order, leaves its factor, returns its loss.
template <bool kRunning>
inline __device__ double finish_row_sum(const NtXentPlan& plan, int64_t row) {
  if (row >= plan.rows) {
    plan.factors[row] = make_float2(0, 0);
    return 0;
  }
  double sum = 0;
  float top = -kFltMax;
  if (kRunning) {
    for (int i = 0; i < plan.sum_splits; ++i)
      top = fmaxf(top, __ldcg(plan.partial_sums + i * plan.padded_rows + row).x);
  }
  for (int i = 0; i < plan.sum_splits; ++i) {
    const float2 part = __ldcg(plan.partial_sums + i * plan.padded_rows + row);
    sum += kRunning ? static_cast<double>(part.y * exp2_fast((part.x - top) * plan.scale)) : part.y;
  }
  const double positive = __ldcg(plan.positives + row);
  if (kRunning) {
    const double log2_sum = log2(sum);
    plan.factors[row] = make_float2(top, static_cast<float>(log2_sum));
    return kLn2 * (log2_sum + plan.scale * (static_cast<double>(top) - positive));
  }
  // The loss uses the rounded scale and shift that the sums used, so that a dominant positive cancels.
  plan.factors[row] = make_float2(static_cast<float>(1 / sum), 0);
  return log(sum) + kLn2 * (static_cast<double>(plan.shift) - plan.scale * positive);
}

template <class Products, bool kRunning>
struct NtXentSums {
  using Arguments = NtXentPlan;

  __device__ NtXentSums(const NtXentPlan& plan, const Products&, int panel)
      : plan_(plan), row0_(static_cast<int64_t>(panel) * Products::kPanel) {
#pragma unroll
    for (int r = 0; r < Products::kRows; ++r) {
      top_[r] = -kFltMax;
      sum_[r] = 0;
    }
  }

  static __device__ constexpr bool accumulates() { return false; }

  __device__ void tile(float (&s)[Products::kRows][Products::kColumns], const Products& products,
                       int64_t column0) {
    if (is_special(plan_, row0_, Products::kPanel, column0)) {
      mask(s, products, column0);
    }
#pragma unroll
    for (int r = 0; r < Products::kRows; ++r) {
      if (kRunning) {
        float top = top_[r];
#pragma unroll
        for (int c = 0; c < Products::kColumns; ++c) top = fmaxf(top, s[r][c]);
        sum_[r] *= exp2_fast((top_[r] - top) * plan_.scale);
        top_[r] = top;
      }
      float sum = 0;
#pragma unroll
      for (int c = 0; c < Products::kColumns; ++c) {
        sum += kRunning ? exp2_fast((s[r][c] - top_[r]) * plan_.scale)
                        : exp2_fast(fmaf(s[r][c], plan_.scale, -plan_.shift));
      }
      sum_[r] += sum;
    }
  }

  __device__ void finish(const Products& products, int panel, int /*chunk*/, int split) {
#pragma unroll
    for (int r = 0; r < Products::kRows; ++r) {
      const float top = kRunning ? lane_max<Products::kRowLanes>(top_[r]) : 0;
      if (kRunning) sum_[r] *= exp2_fast((top_[r] - top) * plan_.scale);
      const float sum = lane_sum<Products::kRowLanes>(sum_[r]);
      if (products.leads_row())
        plan_.partial_sums[split * plan_.padded_rows + row0_ + products.row(r)] = make_float2(top, sum);
    }
    int* const flag = reinterpret_cast<int*>(shared_memory());
    if (!arrives_last(plan_.arrivals + panel, plan_.sum_splits, flag)) return;
    double loss = 0;
    for (int r = static_cast<int>(threadIdx.x); r < Products::kPanel; r += Products::kThreads)
      loss += finish_row_sum<kRunning>(plan_, row0_ + r);
    finish_loss(plan_, panel, loss);
  }

 private:
  // Keeps the positives; puts what must not count far below everything.
  __device__ void mask(float (&s)[Products::kRows][Products::kColumns], const Products& products,
                       int64_t column0) {
#pragma unroll
    for (int r = 0; r < Products::kRows; ++r) {
      const int64_t row = row0_ + products.row(r);
      const int64_t positive = plan_.positive_of(row);
#pragma unroll
      for (int c = 0; c < Products::kColumns; ++c) {
        const int64_t column = column0 + products.column(c);
        if (column == positive && row < plan_.rows) plan_.positives[row] = s[r][c];
        if (column == row || column >= plan_.rows) s[r][c] = -kFltMax;
      }
    }
  }

  const NtXentPlan& plan_;
  const int64_t row0_;
  float top_[Products::kRows], sum_[Products::kRows];
};

inline __device__ StoreArguments store_arguments(const NtXentPlan& plan) {
  StoreArguments a = {};
  a.x = plan.x;
  a.gradient = plan.gradient;
  a.norms = plan.norms;
  a.rows = plan.rows;
  a.dim = plan.dim;
  a.normalize = plan.normalize;
  a.scale = 1 / (static_cast<double>(plan.rows) * plan.tau);
  return a;
}

/// dL/dtau from the blocks' sums of z . g. `along` is one value a thread.
inline __device__ void finish_temperature(const NtXentPlan& plan, int block, int blocks, double along) {
  double* const scratch = reinterpret_cast<double*>(shared_memory());
  int* const flag = reinterpret_cast<int*>(scratch + kWarp);
  along = block_sum(along, scratch);
  if (threadIdx.x == 0) plan.along[block] = along;
  if (!arrives_last(plan.arrivals + plan.panels + 1, blocks, flag)) return;
  double sum = 0;
  for (int p = static_cast<int>(threadIdx.x); p < blocks; p += static_cast<int>(blockDim.x))
    sum += __ldcg(plan.along + p);
  sum = block_sum(sum, scratch);
  if (threadIdx.x == 0)
    plan.result->grad_temperature = -sum / (2 * static_cast<double>(plan.rows) * plan.tau * plan.tau);
}

template <class Products, bool kRunning>
struct NtXentWeights {
  using Arguments = NtXentPlan;

  __device__ NtXentWeights(const NtXentPlan& plan, const Products& products, int panel)
      : plan_(plan), row0_(static_cast<int64_t>(panel) * Products::kPanel) {
#pragma unroll
    for (int r = 0; r < Products::kRows; ++r) of_row_[r] = __ldg(plan.factors + row0_ + products.row(r));
  }

  static __device__ constexpr bool accumulates() { return true; }

  __device__ void tile(float (&s)[Products::kRows][Products::kColumns], const Products& products,
                       int64_t column0) {
#pragma unroll
    for (int c = 0; c < Products::kColumns; ++c) {
      const float2 of_column = __ldg(plan_.factors + column0 + products.column(c));
#pragma unroll
      for (int r = 0; r < Products::kRows; ++r) {
        s[r][c] = kRunning
                      ? from_row(s[r][c], of_row_[r]) + from_row(s[r][c], of_column)
                      : exp2_fast(fmaf(s[r][c], plan_.scale, -plan_.shift)) * (of_row_[r].x + of_column.x);
      }
    }
    if (!is_special(plan_, row0_, Products::kPanel, column0)) return;
#pragma unroll
    for (int r = 0; r < Products::kRows; ++r) {
      const int64_t row = row0_ + products.row(r);
      const int64_t positive = plan_.positive_of(row);
#pragma unroll
      for (int c = 0; c < Products::kColumns; ++c) {
        const int64_t column = column0 + products.column(c);
        if (column == row || column >= plan_.rows) s[r][c] = 0;
        if (column == positive) s[r][c] -= 2;
      }
    }
  }

  // Straight to the gradient when the block has all there is of its rows, else for finish_gradient().
  __device__ void finish(const Products& products, int panel, int /*chunk*/, int split) {
    if (plan_.g == nullptr) {
      const StoreArguments a = store_arguments(plan_);
      double along = 0;
#pragma unroll
      for (int r = 0; r < Products::kRows; ++r) {
        const double of_row = store_row<Products::kRowLanes>(
            a, row0_ + products.row(r), Products::kOutput, [&](int c) { return products.output(r, c); },
            [&](int c) { return products.output_dim(c); });
        if (products.leads_row()) along += of_row;
      }
      finish_temperature(plan_, panel, plan_.panels, along);
      return;
    }
#pragma unroll
    for (int r = 0; r < Products::kRows; ++r) {
      float* const to = plan_.g + (split * plan_.padded_rows + row0_ + products.row(r)) * plan_.pitch;
#pragma unroll
      for (int c = 0; c < Products::kOutput; ++c) {
        if (products.output_dim(c) < plan_.dim) to[products.output_dim(c)] = products.output(r, c);
      }
    }
  }

 private:
  __device__ float from_row(float s, float2 row) const {
    return exp2_fast((s - row.x) * plan_.scale - row.y);
  }

  const NtXentPlan& plan_;
  const int64_t row0_;
  float2 of_row_[Products::kRows];
};

}  // namespace vssl::cuda
