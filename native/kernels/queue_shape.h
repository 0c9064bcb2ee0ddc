// Sizes and memory of one call of the queue's loss.
#pragma once

#include <algorithm>
#include <cstdint>

#include "queue_tiles.h"

namespace vssl::queue {

constexpr int64_t kTasks = 32;             // pieces of work aimed at; bounds the partial gradients
constexpr int64_t kLeastSplit = 8;         // panels of keys that repay a partial gradient
constexpr int64_t kGroupFloats = 1 << 17;  // of qt and g that a group of query panels may hold: L2

// Sizes that follow from rows, dim and the queue's length alone (never from the thread count: bits depend on
// them).
struct Shape {
  int64_t rows, dim, length;
  int64_t padded_dim, blocks, panels, key_panels;
  int64_t group, groups, splits;

  Shape(int64_t rows_in, int64_t dim_in, int64_t length_in) : rows(rows_in), dim(dim_in), length(length_in) {
    padded_dim = (dim + kBlock - 1) / kBlock * kBlock;
    panels = (rows + kQueryPanel - 1) / kQueryPanel;
    blocks = panels * (kQueryPanel / kBlock);
    key_panels = (length + kKeyPanel - 1) / kKeyPanel;
    group = std::clamp<int64_t>(kGroupFloats / (2 * kQueryPanel * padded_dim), 1, kMostPanels);
    groups = (panels + group - 1) / group;
    const int64_t wanted = (kTasks + groups - 1) / groups;
    splits = std::clamp<int64_t>(key_panels / kLeastSplit, 1, wanted);
  }

  int64_t padded_rows() const { return panels * kQueryPanel; }
  int64_t first_key_panel(int64_t split) const { return key_panels * split / splits; }
};

struct Buffers {
  float* qt = nullptr;
  uint32_t* qt16 = nullptr;
  float* g = nullptr;  // of each split
  float *sums, *tops;  // of each split
  double *query_factors, *positive_factors, *positives, *block_squares, *block_loss;

  template <typename Take>
  void lay_out(const Shape& shape, bool with_gradient, bool bf16, Take&& take) {
    const int64_t n = shape.padded_rows();
    if (bf16) {
      take(qt16, n * words_of(shape.dim));
    } else {
      take(qt, n * shape.dim);
    }
    if (with_gradient) take(g, shape.splits * n * shape.padded_dim);
    take(sums, shape.splits * n);
    take(tops, shape.splits * n);
    for (double** rows : {&query_factors, &positive_factors, &positives}) take(*rows, n);
    for (double** parts : {&block_squares, &block_loss}) take(*parts, shape.blocks);
  }
};

}  // namespace vssl::queue
