// InfoNCE's policy for stream_kernel(): queries are the rows, the ring's slots the columns. Loss and gradient
// take one pass: sums of exponentials, and of keys weighted by them, to be divided by each other at the end.
//
//   exponent x_ij = slope_j s_ij + offset_j;  sum_i += exp2(x_ij - top_i);  g_i += slope_j exp2(x_ij - top_i)
//   k_j
//
// slope_j is scale t^age_j when the decay is on the logit, else scale; so slope / scale is what the
// derivative of x_ij leaves. Empty slots have slope 0 and offset -infinity. top_i is 0 unless `running`. With
// `own` a slot of the query's own number has the exponent -infinity.
#pragma once

#include "queue_plan.h"
#include "rows.cuh"
#include "stream.cuh"

namespace vssl::cuda {

template <class Products, bool kRunning, bool kOwn>
struct QueueWeights {
  using Arguments = InfoNcePlan;

  __device__ QueueWeights(const InfoNcePlan& plan, const Products& products, int panel)
      : plan_(plan), row0_(static_cast<int64_t>(panel) * Products::kPanel) {
#pragma unroll
    for (int r = 0; r < Products::kRows; ++r) {
      top_[r] = kRunning ? -kFltMax : 0;
      sum_[r] = 0;
      const int64_t row = row0_ + products.row(r);
      if (kOwn) ids_[r] = row < plan_.rows ? plan_.ids[row] : -1;
    }
  }

  __device__ bool accumulates() const { return plan_.gradient != nullptr; }

  __device__ void tile(float (&s)[Products::kRows][Products::kColumns], Products& products, int64_t column0) {
    float slopes[Products::kColumns];
#pragma unroll
    for (int c = 0; c < Products::kColumns; ++c) {
      const float2 terms = __ldg(plan_.terms + column0 + products.column(c));
      slopes[c] = terms.x;
#pragma unroll
      for (int r = 0; r < Products::kRows; ++r) s[r][c] = fmaf(s[r][c], terms.x, terms.y);
      if (kOwn) leave_out(s, c, plan_.queue.ids[column0 + products.column(c)]);
    }
#pragma unroll
    for (int r = 0; r < Products::kRows; ++r) {
      if (kRunning) {
        float top = top_[r];
#pragma unroll
        for (int c = 0; c < Products::kColumns; ++c) top = fmaxf(top, s[r][c]);
        top = lane_max<Products::kRowLanes>(top);  // one for all lanes: they share the row of O
        const float factor = exp2_fast(top_[r] - top);
        top_[r] = top;
        sum_[r] *= factor;
        products.scale_row(r, factor);
      }
      float sum = 0;
#pragma unroll
      for (int c = 0; c < Products::kColumns; ++c) {
        const float e = exp2_fast(kRunning ? s[r][c] - top_[r] : s[r][c]);
        sum += e;
        s[r][c] = slopes[c] * e;
      }
      sum_[r] += sum;
    }
  }

  __device__ void finish(const Products& products, int panel, int chunk, int split) {
    if (split == 0 && chunk == 0) mark_unusable_rows(panel);
#pragma unroll
    for (int r = 0; r < Products::kRows; ++r) {
      const int64_t row = split * plan_.padded_rows + row0_ + products.row(r);
      const float sum = lane_sum<Products::kRowLanes>(sum_[r]);
      if (chunk == 0 && products.leads_row()) plan_.sums[row] = make_float2(top_[r], sum);
      if (plan_.gradient == nullptr) continue;
#pragma unroll
      for (int c = 0; c < Products::kOutput; ++c) {
        if (products.output_dim(c) < plan_.dim)
          plan_.g[row * plan_.pitch + products.output_dim(c)] = products.output(r, c);
      }
    }
  }

 private:
  __device__ void leave_out(float (&x)[Products::kRows][Products::kColumns], int c, int64_t id) const {
#pragma unroll
    for (int r = 0; r < Products::kRows; ++r) {
      if (id >= 0 && ids_[r] == id) x[r][c] = -__int_as_float(0x7f800000);
    }
  }

  // All who write write the same.
  __device__ void mark_unusable_rows(int panel) const {
    for (int r = static_cast<int>(threadIdx.x); r < Products::kPanel; r += Products::kThreads) {
      const int64_t row = static_cast<int64_t>(panel) * Products::kPanel + r;
      if (row < plan_.rows && isnan(plan_.norms[row])) *plan_.unusable() = 1;
    }
  }

  const InfoNcePlan& plan_;
  const int64_t row0_;
  float top_[Products::kRows], sum_[Products::kRows];
  int64_t ids_[kOwn ? Products::kRows : 1];  // of the rows
};

}  // namespace vssl::cuda
