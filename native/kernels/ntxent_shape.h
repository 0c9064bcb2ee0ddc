// Sizes and memory of one NT-Xent call.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "ntxent_tiles.h"
#include "workspace.h"

namespace vssl::ntxent {

constexpr int64_t kSmallPanelRows = 512;     // up to here panels of 32, for work to share
constexpr int64_t kMiddlePanelRows = 2048;   // and up to here of 64; longer ones make longer sums of products
constexpr int64_t kPanelsPerGroup = 8;       // keeps a pair of groups in L2 when the whole does not fit
constexpr int64_t kGroupedFloats = 1 << 20;  // rows * dim from which panels are grouped
// Up to here exponentials are kept for the gradient (rows 4096 take 34 MB, rows 9000 the most); beyond it
// they are made again, and the similarities with them. Small pages make more fresh memory dearer than that
// sooner.
constexpr int64_t kMostKeptFloats = 40 << 20;
constexpr int64_t kMostKeptInSmallPages = 10 << 20;
// From here on they are written past the caches, which would lose them before they are read again.
constexpr int64_t kStreamedFloats = 1 << 20;

// Sizes that follow from rows and dim alone (never from the thread count: bits depend on them).
struct Shape {
  int64_t rows, dim, half;
  int64_t panel, panels, padded_rows, padded_dim, blocks;
  int64_t group, groups;
  int64_t shares, share;  // callers among whom the tiles are dealt out, and which of them this is

  Shape(int64_t rows_in, int64_t dim_in, int64_t shares_in = 1, int64_t share_in = 0)
      : rows(rows_in), dim(dim_in), half(rows_in / 2), shares(shares_in), share(share_in) {
    panel = rows <= kSmallPanelRows ? kBlock : rows <= kMiddlePanelRows ? 2 * kBlock : kMaxPanel;
    panels = (rows + panel - 1) / panel;
    padded_rows = panels * panel;
    padded_dim = (dim + kBlock - 1) / kBlock * kBlock;
    blocks = padded_rows / kBlock;
    group = rows * padded_dim > kGroupedFloats ? kPanelsPerGroup : 1;
    groups = (panels + group - 1) / group;
  }

  int64_t pairs() const { return (dim + 1) / 2; }
  int64_t rows_of(int64_t p) const { return std::min(panel, rows - p * panel); }
  int64_t tiles() const { return panels * (panels + 1) / 2; }
  int64_t own_tiles() const { return (tiles() + shares - 1) / shares; }
  int64_t tile_floats() const { return own_tiles() * panel * panel; }
  bool keeps_tiles() const {
    return tile_floats() <= (has_huge_pages() ? kMostKeptFloats : kMostKeptInSmallPages);
  }
  bool streams_tiles() const { return tile_floats() >= kStreamedFloats; }
  int64_t tile_index(int64_t i, int64_t j) const { return i * panels - i * (i - 1) / 2 + (j - i); }
  bool owns_tile(int64_t i, int64_t j) const { return tile_index(i, j) % shares == share; }
};

struct Buffers {
  float *zd, *zt = nullptr, *g = nullptr, *kept = nullptr;
  uint32_t *zt16 = nullptr, *zd16 = nullptr;
  float *row_lanes, *column_sums, *inverse_sums, *positives, *top, *sum;
  double *norms, *block_squares, *panel_loss, *panel_smallest, *panel_along;
  double* shared =
      nullptr;  // of each row what the callers add up: its sum and its positive, or those of each
  std::atomic<int64_t>* played[3];

  template <typename Take>
  void lay_out(const Shape& shape, bool with_gradient, bool keep, bool bf16, Take&& take) {
    const int64_t n = shape.padded_rows;
    take(zd, n * shape.padded_dim);
    if (bf16) {
      take(zt16, n * shape.pairs());
      take(zd16, n / 2 * shape.padded_dim);
    } else {
      take(zt, n * shape.dim);
    }
    if (with_gradient) take(g, n * shape.padded_dim);
    if (keep) take(kept, shape.tile_floats());
    take(row_lanes, n * kLanes);
    for (float** rows : {&column_sums, &inverse_sums, &positives, &top, &sum}) take(*rows, n);
    take(norms, n);
    take(block_squares, shape.blocks);
    if (shape.shares > 1) take(shared, shared_values(shape));
    for (double** parts : {&panel_loss, &panel_smallest, &panel_along}) take(*parts, shape.panels);
    for (auto& counters : played) take(counters, shape.groups);
  }

  // A positive, and a running maximum and sum of each caller.
  static int64_t shared_values(const Shape& shape) { return (1 + 2 * shape.shares) * shape.padded_rows; }
};

}  // namespace vssl::ntxent
