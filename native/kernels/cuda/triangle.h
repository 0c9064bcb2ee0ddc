// The tiles of the upper triangle of a symmetric matrix, cut into runs for workers. Plain arithmetic for host
// and device.
//
// Tiles are numbered down the columns: column j has rows 0 to j, so tile (i, j) is number j (j + 1) / 2 + i.
// A worker takes a contiguous run of numbers: few columns, of each a contiguous part ("segment").
#pragma once

#include <cmath>
#include <cstdint>

#include "layout.h"

namespace vssl::cuda {

struct Tile {
  int row, column;

  VSSL_HOST_DEVICE void next() {
    if (++row > column) {
      row = 0;
      ++column;
    }
  }
};

VSSL_HOST_DEVICE constexpr int64_t triangle(int64_t panels) { return panels * (panels + 1) / 2; }

VSSL_HOST_DEVICE constexpr int64_t tile_number(int64_t row, int64_t column) { return triangle(column) + row; }

VSSL_HOST_DEVICE inline Tile tile_at(int64_t number) {
  int64_t column = static_cast<int64_t>((sqrt(8.0 * static_cast<double>(number) + 1) - 1) / 2);
  while (triangle(column) > number) --column;  // where the root was rounded
  while (triangle(column + 1) <= number) ++column;
  return {static_cast<int>(number - triangle(column)), static_cast<int>(column)};
}

/// The worker whose run, share_begin(tiles, worker, workers) on, holds the tile.
VSSL_HOST_DEVICE constexpr int64_t worker_of(int64_t number, int64_t tiles, int64_t workers) {
  return ((number + 1) * workers - 1) / tiles;
}

/// Where a worker leaves its sums of a column: both numbers rise along the tiles, one of them from each
/// segment to the next, so their sum names a segment. Below workers + panels.
VSSL_HOST_DEVICE constexpr int64_t segment_slot(int64_t worker, int64_t column) { return worker + column; }

}  // namespace vssl::cuda
