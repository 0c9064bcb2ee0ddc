// L2-normalisation of rows and its derivative; a warp a row.
#include <string>

#include "kernels_cuda.h"
#include "launch.h"
#include "rows.cuh"

namespace vssl::cuda {
namespace {

__global__ void __launch_bounds__(kRowThreads)
    normalize_kernel(float* z, const float* x, int64_t rows, int dim) {
  const int64_t row =
      static_cast<int64_t>(blockIdx.x) * kRowsPerBlock + static_cast<int>(threadIdx.x) / kWarp;
  if (row >= rows) return;
  const double factor = 1 / fmax(sqrt(squared_norm(x + row * dim, dim)), kNormEps);
  for (int k = static_cast<int>(threadIdx.x) % kWarp; k < dim; k += kWarp)
    z[row * dim + k] = static_cast<float>(x[row * dim + k] * factor);
}

__global__ void __launch_bounds__(kRowThreads)
    normalize_backward_kernel(float* gradient, const float* grad_z, const float* x, int64_t rows, int dim) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int64_t row =
      static_cast<int64_t>(blockIdx.x) * kRowsPerBlock + static_cast<int>(threadIdx.x) / kWarp;
  if (row >= rows) return;
  const double norm = sqrt(squared_norm(x + row * dim, dim));
  const double inverse = 1 / fmax(norm, kNormEps);
  double along = 0;
  for (int k = lane; k < dim; k += kWarp)
    along += static_cast<double>(grad_z[row * dim + k]) * (x[row * dim + k] * inverse);
  along = lane_sum(along);
  const double minus_along = norm <= kNormEps ? 0.0 : -along;  // NaN goes on
  for (int k = lane; k < dim; k += kWarp) {
    const double z = x[row * dim + k] * inverse;
    gradient[row * dim + k] = static_cast<float>((grad_z[row * dim + k] + minus_along * z) * inverse);
  }
}

LaunchShape checked_shape(int64_t rows, int64_t dim) {
  if (rows < 1 || rows > int64_t{1} << 33)
    throw Error(kInvalidArgument, "expected 1 to 2^33 for rows but received " + std::to_string(rows));
  if (dim < 1 || dim > int64_t{1} << 30)
    throw Error(kInvalidArgument, "expected 1 to 2^30 for dim but received " + std::to_string(dim));
  LaunchShape shape = {};
  shape.grid = dim3(static_cast<unsigned>(ceil_div(rows, kRowsPerBlock)));
  shape.threads = kRowThreads;
  return shape;
}

}  // namespace

void normalize_rows(float* z, const float* x, int64_t rows, int64_t dim, cudaStream_t stream) {
  const LaunchShape shape = checked_shape(rows, dim);
  require_pointers({z, x});
  launch("normalising rows", normalize_kernel, shape, stream, z, x, rows, static_cast<int>(dim));
}

void normalize_rows_backward(float* gradient, const float* grad_z, const float* x, int64_t rows, int64_t dim,
                             cudaStream_t stream) {
  const LaunchShape shape = checked_shape(rows, dim);
  require_pointers({gradient, grad_z, x});
  launch("normalising rows, backward", normalize_backward_kernel, shape, stream, gradient, grad_z, x, rows,
         static_cast<int>(dim));
}

}  // namespace vssl::cuda
