// InfoNCE against the ring: what comes before the pass over the queue, and after it. The formulas are those
// of
// ../queue_infonce.cpp.
#pragma once

#include "queue_plan.h"
#include "rows.cuh"

namespace vssl::cuda {

/// The value that products see of x.
template <Operand kOperand>
inline __device__ float as_operand(float x) {
  return kOperand == Operand::kFp32 ? x : __uint_as_float(pack_bf16(0, x) & 0xffff0000u);
}

/// Queries as an operand, norms, similarities of the positives; called by a whole warp.
template <Operand kOperand>
inline __device__ void load_query(const InfoNcePlan& plan, int64_t row) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  if (row >= plan.rows) {
    write_row<kOperand>(plan.z, row, nullptr, plan.dim, 0);
    return;
  }
  const float* const q = plan.queries + row * plan.dim;
  const float* const k = plan.positive_keys + row * plan.dim;
  const double q_square = squared_norm(q, plan.dim), k_square = squared_norm(k, plan.dim);
  double norm = 0, positive_norm = 0;
  const double factor = row_factor(&norm, q_square, plan.normalize);
  const double positive_factor = row_factor(&positive_norm, k_square, plan.normalize);
  double dot = 0;
  for (int i = lane; i < plan.dim; i += kWarp) {
    const float z = as_operand<kOperand>(static_cast<float>(q[i] * factor));
    dot += static_cast<double>(z) * as_operand<kOperand>(static_cast<float>(k[i] * positive_factor));
  }
  dot = lane_sum(dot);
  write_row<kOperand>(plan.z, row, q, plan.dim, factor);
  if (lane != 0) return;
  const double largest = plan.normalize ? 1.0 : sqrt(fmax(q_square, k_square));
  const bool usable = isfinite(factor) && isfinite(positive_factor) && plan.scale * largest <= 0.25 * kFltMax;
  plan.norms[row] = usable ? norm : static_cast<double>(quiet_nan());
  plan.positive_norms[row] = positive_norm;
  plan.positives[row] = dot;
}

inline __device__ void load_terms(const InfoNcePlan& plan, int64_t slot) {
  if (slot >= plan.queue.padded_slots) return;
  if (slot >= plan.queue.state->length) {
    plan.terms[slot] = make_float2(0, -__int_as_float(0x7f800000));
    return;
  }
  const double age = static_cast<double>(plan.queue.state->clock - plan.queue.born[slot]);
  const double log2_weight = plan.log2_decay * age;
  plan.terms[slot] =
      make_float2(plan.decays_logit ? static_cast<float>(exp2(log2_weight) * plan.scale) : plan.scale,
                  plan.decays_weight ? static_cast<float>(log2_weight - plan.shift) : -plan.shift);
}

/// Blocks for the rows come first, then blocks for the slots.
template <Operand kOperand>
__global__ void __launch_bounds__(kRowThreads) load_queries(const __grid_constant__ InfoNcePlan plan) {
  take_over();
  if (blockIdx.x == 0 && threadIdx.x < 2) plan.counters[threadIdx.x] = 0;
  const int64_t row_blocks = plan.padded_rows / kRowsPerBlock;
  const int64_t block = blockIdx.x;
  if (block < row_blocks) {
    load_query<kOperand>(plan, block * kRowsPerBlock + static_cast<int>(threadIdx.x) / kWarp);
  } else {
    load_terms(plan, (block - row_blocks) * kRowThreads + static_cast<int>(threadIdx.x));
  }
}

/// The splits' sums of one row, added up in order; the same in all lanes of a warp.
struct RowSum {
  float top;
  double sum;
};

inline __device__ RowSum row_sum(const InfoNcePlan& plan, int64_t row) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  RowSum all = {-kFltMax, 0};
  for (int i = lane; i < plan.splits; i += kWarp)
    all.top = fmaxf(all.top, plan.sums[i * plan.padded_rows + row].x);
  all.top = lane_max<kWarp>(all.top);
  for (int i = lane; i < plan.splits; i += kWarp) {
    const float2 part = plan.sums[i * plan.padded_rows + row];
    all.sum += static_cast<double>(part.y) * exp2_fast(part.x - all.top);
  }
  all.sum = lane_sum(all.sum);
  return all;
}

constexpr int kMergeWarps = 8;

/// Dims of g that one round of merge_g() makes; shared memory of finish_queries().
constexpr int kMergeDims = 4 * kWarp;
inline std::size_t finish_queries_bytes(int dim) {
  return kScratchBytes + 8 +
         (kMergeWarps * kMergeDims + ceil_div(dim, kMergeDims) * kMergeDims) * sizeof(float);
}

/// g of one row from the splits' shares: warps take every eighth split, then their sums are added in order.
inline __device__ void merge_g(float* g, float* parts, const InfoNcePlan& plan, int64_t row, float top) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  for (int first = 0; first < plan.dim; first += kMergeDims) {
    float sum[4] = {};
    for (int i = warp; i < plan.splits; i += kMergeWarps) {
      const int64_t place = i * plan.padded_rows + row;
      const float factor = exp2_fast(plan.sums[place].x - top);
#pragma unroll
      for (int c = 0; c < 4; ++c) {
        const int k = first + c * kWarp + lane;
        if (k < plan.dim) sum[c] = fmaf(factor, plan.g[place * plan.pitch + k], sum[c]);
      }
    }
#pragma unroll
    for (int c = 0; c < 4; ++c) parts[warp * kMergeDims + c * kWarp + lane] = sum[c];
    __syncthreads();
    for (int k = static_cast<int>(threadIdx.x); k < kMergeDims; k += kMergeWarps * kWarp) {
      float total = 0;
      for (int w = 0; w < kMergeWarps; ++w) total += parts[w * kMergeDims + k];
      g[first + k] = total;
    }
    __syncthreads();
  }
}

/// A block a row: loss and gradient from the splits' shares; the last block adds the losses up.
static __global__ void __launch_bounds__(kMergeWarps* kWarp)
    finish_queries(const __grid_constant__ InfoNcePlan plan) {
  take_over();
  double* const scratch = reinterpret_cast<double*>(shared_memory());
  int* const flag = reinterpret_cast<int*>(scratch + kWarp);
  float* const parts = reinterpret_cast<float*>(scratch + kWarp + 2);
  float* const g = parts + kMergeWarps * kMergeDims;
  const int64_t row = blockIdx.x;
  const bool usable = __ldcg(plan.unusable()) == 0;
  const double nan = quiet_nan();

  const RowSum all = row_sum(plan, row);
  const double above = static_cast<double>(plan.scale) * plan.positives[row];
  const double d = kLn2 * (all.top + static_cast<double>(plan.shift) + log2(all.sum) - above);
  const double loss = d > 0 ? d + log1p(exp(-d)) : log1p(exp(d));
  if (plan.gradient != nullptr) {
    merge_g(g, parts, plan, row, all.top);
    if (threadIdx.x < kWarp) {
      const double pull = d > 0 ? 1 / (1 + exp(-d)) : exp(d) / (1 + exp(d));
      const double inverse_sum = all.sum > 0 ? 1 / (all.sum * plan.scale) : all.sum * 0;
      const double positive_factor = 1 / fabs(plan.positive_norms[row]);
      const float* const k = plan.positive_keys + row * plan.dim;
      StoreArguments a = {};
      a.x = plan.queries;
      a.gradient = plan.gradient;
      a.norms = plan.norms;
      a.rows = plan.rows;
      a.dim = plan.dim;
      a.normalize = plan.normalize;
      a.scale = usable ? pull / (static_cast<double>(plan.rows) * plan.tau) : nan;
      const int lane = static_cast<int>(threadIdx.x);
      store_row<kWarp>(
          a, row, static_cast<int>(ceil_div(plan.dim, kWarp)),
          [&](int c) {
            const int i = c * kWarp + lane;
            return g[i] * inverse_sum - static_cast<float>(k[i] * positive_factor);
          },
          [&](int c) { return c * kWarp + lane; });
    }
  }
  if (threadIdx.x == 0) plan.row_loss[row] = usable ? loss : nan;
  if (!arrives_last(plan.arrivals(), static_cast<int>(gridDim.x), flag)) return;
  double sum = 0;
  for (int64_t i = threadIdx.x; i < plan.rows; i += kMergeWarps * kWarp) sum += __ldcg(plan.row_loss + i);
  sum = block_sum(sum, scratch);
  if (threadIdx.x == 0) *plan.loss = sum / static_cast<double>(plan.rows);
}

}  // namespace vssl::cuda
