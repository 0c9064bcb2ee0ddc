// What BatchNorm's ways share: the CPU's (norm.cpp) and that of other devices (norm_device.cpp).
#pragma once

#include <vector>

#include "../collectives/collectives.h"
#include "../device/devices.h"

namespace vssl::engine {

struct NormSetup {
  bool train, update, relu;
  double momentum, eps;
  Sharers* ranks;  // null: this is the whole batch
};

// Of each channel, over a number of rows: their mean, and the sum of squared distances to it.
struct Moments {
  double rows;
  std::vector<double> mean, squares;
};

// Those of all ranks' rows together (Chan, Golub & LeVeque 1983), in the order of ranks.
Moments joined(const Moments& own, Sharers& ranks);

// `sums`, doubles on the CPU, become those of all ranks; returns the rows of all.
double summed(const Tensor& sums, double rows, Sharers& ranks);

constexpr at::MemoryFormat layout_of(int64_t dims) {
  return dims == 5 ? at::MemoryFormat::ChannelsLast3d : at::MemoryFormat::Contiguous;
}
// g in the type of x, and as the matrix that x is: (N, C), or (N, C, T, H, W) channels-last.
inline Tensor as_layout_of(const Tensor& g, const Tensor& x) {
  return g.to(x.scalar_type()).contiguous(layout_of(x.dim()));
}
inline Tensor empty_matrix_like(const Tensor& x) {
  return at::empty(x.sizes(), x.options().requires_grad(false).memory_format(layout_of(x.dim())));
}

struct NormTensors {
  const Tensor &x, &gamma, &beta, &residual, &running_mean, &running_var;  // beta, residual may be undefined
};

// y = relu(bn(x) + residual) by the kernels of x's device.
Tensor norm_on_device(const DeviceKernels& kernels, const NormTensors& tensors, const NormSetup& setup);

}  // namespace vssl::engine
