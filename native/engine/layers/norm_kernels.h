// The passes of a fused batch normalisation over a row-major (rows, channels) matrix: the memory of a
// channels-last activation. fp32 arithmetic; T is float or uint16_t (the bits of a bfloat16). One instruction
// set is chosen at run time. All sums depend on the sizes alone, not on the number of threads.
#pragma once

#include <cstdint>

namespace vssl::engine {

template <typename T>
struct NormKernels {
  // sum[c] += sum over rows of (x - shift[c]), squares[c] likewise of the square
  void (*stats)(float* sum, float* squares, const T* x, const float* shift, int64_t rows, int64_t channels);
  // y = relu?(x * scale[c] + shift[c] + residual?)
  void (*apply)(T* y, const T* x, const T* residual, const float* scale, const float* shift, int64_t rows,
                int64_t channels, bool relu);
  // g = relu ? (y > 0 ? gy : 0) : gy;  sum[c] += g, dot[c] += g (x - mean[c])
  void (*grad_sums)(float* sum, float* dot, const T* gy, const T* y, const T* x, const float* mean,
                    int64_t rows, int64_t channels, bool relu);
  // gx = a[c] g + b[c] (x - mean[c]) + k[c];  gresidual? = g
  void (*grad_apply)(T* gx, T* gresidual, const T* gy, const T* y, const T* x, const float* a, const float* b,
                     const float* k, const float* mean, int64_t rows, int64_t channels, bool relu);
};

template <typename T>
const NormKernels<T>& norm_kernels();

}  // namespace vssl::engine
