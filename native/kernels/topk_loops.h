// The per-ISA inner loops of topk_dot(), behind one table of functions; topk.cpp schedules them.
//
// A vector's lanes are dims. The score of a row is one chain of multiply-adds from its first vector to its
// last, then the sum of the chain's lanes, always in the same order: so one query and many, and rows wherever
// they lie, have the same bits. Where a vector does not divide dim, the last one ends with the row and its
// lanes that were there before are cleared, so that nothing behind a row is read; shorter rows are copied.
//
// "Packed" are what is multiplied together in one tile, side by side: [vector of the row][query or row]
// [lanes], kTileQueries queries (or the one), kTileRows rows; in one panel, [lane][vector][query].
#pragma once

#include <cstdint>

#include "isa.h"
#include "kernels.h"
#include "topk_best.h"

namespace vssl::topk {

constexpr int64_t kTileQueries = 4;
constexpr int64_t kMostQueries = 64;  // at once, against rows that come from memory
constexpr int64_t kMostLanes = 16;
constexpr int64_t kMostBlockRows = 64;
constexpr int64_t kMostPanelRows = 6;
constexpr int64_t kBlockFloats = 4096;  // of rows that are packed before queries come to them: half of L1

inline int64_t padded(int64_t dim) { return (dim + kMostLanes - 1) / kMostLanes * kMostLanes; }

/// Rows that are packed at a time: whole tiles on each ISA.
inline int64_t block_rows(int64_t dim) {
  const int64_t rows = kBlockFloats / padded(dim) / 4 * 4;
  return rows < 4 ? 4 : rows < kMostBlockRows ? rows : kMostBlockRows;
}

/// Floats of memory for packed rows, however many queries there are.
inline int64_t packed_row_floats(int64_t dim) {
  return (block_rows(dim) > kMostPanelRows ? block_rows(dim) : kMostPanelRows) * padded(dim);
}

/// The same of `count` queries: panels are whole.
inline int64_t packed_query_floats(int64_t count, int64_t dim) {
  return (count > kTileQueries ? kMostQueries : count) * padded(dim);
}

struct PackedQueries {
  const float* values;
  int64_t count;
};

struct RowLoops {
  /// Rows begin..end against one query, packed alone.
  void (*scan_one)(Best& best, const float* query, const DotRows& rows, int64_t begin, int64_t end);
  /// The same against several; `packed_rows` is scratch for packed_row_floats(dim).
  void (*scan_many)(Best* best, const PackedQueries& queries, const DotRows& rows, int64_t begin, int64_t end,
                    float* packed_rows);
};

struct TopkLoops {
  RowLoops of_type[4];  ///< by RowType
  /// Packs `count` queries, as many as a scan then gets, to packed_query_floats(count, dim).
  void (*pack)(float* packed, const float* queries, int64_t count, int64_t dim);
};

const TopkLoops& table_of(Isa isa);  // one that this build has

}  // namespace vssl::topk
