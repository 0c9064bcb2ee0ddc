// Rows in and out: L2-normalised on the way in, through that normalisation's derivative on the way out. A
// warp takes a row; norms and products along a row are in double.
#pragma once

#include "device.cuh"
#include "layout.h"

namespace vssl::cuda {

/// Which representation of a matrix the products read.
enum class Operand {
  kFp32,  ///< row-major, rows of a multiple of 4 floats
  kBf16,  ///< tiles of layout.h
};

struct LoadArguments {
  const float* x;  ///< rows x dim
  void* z;         ///< written whole: padding is zero
  double* norms;   ///< padded_rows: max(|x|, eps), negative where eps rules; 1 where not normalised
  int* counters;   ///< cleared
  int counter_count;
  int64_t rows;
  int64_t padded_rows;
  int dim;
  bool normalize;
};

constexpr int kRowThreads = 256;
constexpr int kRowsPerBlock = kRowThreads / kWarp;

inline __device__ double squared_norm(const float* x, int dim) {
  double sum = 0;
  for (int k = static_cast<int>(threadIdx.x) % kWarp; k < dim; k += kWarp) {
    const double value = x[k];
    sum = fma(value, value, sum);
  }
  return lane_sum(sum);
}

/// What an input row is multiplied with, NaN when the row is not finite or its products might not be, so that
/// every result becomes NaN; and the norm as LoadArguments describes it.
inline __device__ double row_factor(double* norm, double square, bool normalize) {
  const double root = sqrt(square);
  *norm = !normalize ? 1 : root > kNormEps ? root : -kNormEps;
  const bool usable = square <= (normalize ? 1e300 : 0.25 * static_cast<double>(kFltMax));
  return usable ? 1 / fabs(*norm) : static_cast<double>(quiet_nan());
}

/// Writes one row as an operand; called by a whole warp. x may be null when there is no such row.
template <Operand kOperand>
inline __device__ void write_row(void* z, int64_t row, const float* x, int dim, double factor) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  if (kOperand == Operand::kFp32) {
    const int padded = (dim + 3) / 4 * 4;
    float* const to = static_cast<float*>(z) + row * padded;
    for (int k = lane; k < padded; k += kWarp)
      to[k] = x != nullptr && k < dim ? static_cast<float>(x[k] * factor) : 0.0f;
    return;
  }
  const int blocks = blocks_of(dim);
  for (int k = 2 * lane; k < blocks * kBlockDims; k += 2 * kWarp) {
    const float low = x != nullptr && k < dim ? static_cast<float>(x[k] * factor) : 0.0f;
    const float high = x != nullptr && k + 1 < dim ? static_cast<float>(x[k + 1] * factor) : 0.0f;
    char* const to = static_cast<char*>(z) + tiled_offset(row, k, blocks);
    *reinterpret_cast<uint32_t*>(to) = pack_bf16(low, high);
  }
}

template <Operand kOperand>
__global__ void __launch_bounds__(kRowThreads) load_rows(const __grid_constant__ LoadArguments a) {
  take_over();
  if (blockIdx.x == 0) {
    for (int i = static_cast<int>(threadIdx.x); i < a.counter_count; i += kRowThreads) a.counters[i] = 0;
  }
  const int64_t row =
      static_cast<int64_t>(blockIdx.x) * kRowsPerBlock + static_cast<int>(threadIdx.x) / kWarp;
  if (row >= a.padded_rows) return;
  const float* const x = row < a.rows ? a.x + row * a.dim : nullptr;
  double norm = 1, factor = 0;
  if (x != nullptr) factor = row_factor(&norm, squared_norm(x, a.dim), a.normalize);
  write_row<kOperand>(a.z, row, x, a.dim, factor);
  if (threadIdx.x % kWarp == 0) a.norms[row] = norm;
}

/// What rows of a gradient need on their way out.
struct StoreArguments {
  const float* x;   ///< rows x dim, the input
  float* gradient;  ///< rows x dim; may be x
  const double* norms;
  int64_t rows;
  int dim;
  bool normalize;
  double scale;  ///< the gradient is scale times what g becomes
};

/// Takes a row's gradient g with respect to z through the normalisation and writes it. A row is shared by
/// kLanes neighbouring lanes, which call together; `g(c)` is element c of the thread's `count` and
/// `dim_of(c)` says which dim that is (beyond the last: ignored). Returns z . g in all of them, 0 when there
/// is no such row. Each element of x is read by the thread that overwrites it, before it does.
template <int kLanes, typename G, typename DimOf>
inline __device__ double store_row(const StoreArguments& a, int64_t row, int count, G&& g, DimOf&& dim_of) {
  const bool exists = row < a.rows;
  const float* const x = a.x + (exists ? row : 0) * a.dim;
  const double norm = exists ? a.norms[row] : 1;
  const double inverse = 1 / fabs(norm);
  double along = 0;
#pragma unroll
  for (int c = 0; c < count; ++c) {
    const int k = dim_of(c);
    if (exists && k < a.dim) along += static_cast<double>(g(c)) * static_cast<float>(x[k] * inverse);
  }
  along = lane_sum<kLanes>(along);
  if (!exists) return 0;
  const double minus_along = a.normalize && norm > 0 ? -along : 0.0;
#pragma unroll
  for (int c = 0; c < count; ++c) {
    const int k = dim_of(c);
    if (k >= a.dim) continue;
    const double z = static_cast<float>(x[k] * inverse);
    a.gradient[row * a.dim + k] = static_cast<float>((g(c) + minus_along * z) * (a.scale * inverse));
  }
  return along;
}

}  // namespace vssl::cuda
