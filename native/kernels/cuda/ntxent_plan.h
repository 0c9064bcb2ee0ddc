// NT-Xent on a device: the sizes of one call and the places of its intermediate results, by value to every
// kernel.
#pragma once

#include <cstdint>

#include "../kernels.h"
#include "launch.h"
#include "layout.h"

namespace vssl::cuda {

struct NtXentPlan {
  int64_t rows, half;
  int64_t padded_rows;  ///< whole panels of 128
  int dim;
  int pitch;   ///< floats a row of g, at least dim
  int panels;  ///< of rows, as the products cut them
  int chunks, sum_splits, weigh_splits;
  bool bf16, normalize, running;
  bool hopper;         ///< the passes of ntxent_hopper.h
  float scale, shift;  ///< exp2(scale s - shift); scale = log2(e) / tau
  double tau;

  const float* x;
  float* gradient;  ///< null: loss only
  NtXentResult* result;

  void* z;               ///< rows as an operand
  double* norms;         ///< padded_rows
  float* positives;      ///< s of each row and its positive
  float2* partial_sums;  ///< sum_splits x padded_rows: (top, sum)
  float2* factors;       ///< a row: (1 / sum, 0), or (top, log2 of sum) when running; (0, 0) in padding
  double* panel_loss;
  double* along;  ///< z . g, one sum a block
  int* arrivals;  ///< counters: one a panel, one for the loss, one for the temperature
  float* g;       ///< weigh_splits x padded_rows x pitch; null when a block has whole rows of it

  VSSL_HOST_DEVICE int64_t positive_of(int64_t row) const { return row < half ? row + half : row - half; }
  VSSL_HOST_DEVICE int counters() const { return panels + 2; }
};

}  // namespace vssl::cuda
