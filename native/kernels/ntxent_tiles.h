// The per-ISA inner loops of NT-Xent, behind one table of functions; ntxent.cpp schedules them.
//
// Layouts. Rows are cut into panels of `panel` rows (32, 64 or 128, the last one shorter), dims into blocks
// of 32. A panel of dim-blocked rows ("zd", and the gradient accumulator "g") is [dim block][panel row][32
// dims]. A panel of transposed rows ("zt") is [row block][dim][32 rows]. So every inner loop of the three
// products runs over contiguous memory:
//   S   = Zi Zj'    rows broadcast from zt_i, vectors from zt_j
//   Gi += H  Zj     rows broadcast from H,    vectors from zd_j
//   Gj += H' Zi     rows broadcast from H,    vectors from zd_i
#pragma once

#include <cstdint>

#include "isa.h"

namespace vssl::ntxent {

constexpr int64_t kBlock = 32;           // rows or dims a block
constexpr int64_t kMaxPanel = 128;       // rows a panel at most
constexpr int64_t kTileLd = 128;         // row stride of a tile of S, E or H
constexpr int64_t kMicroRowsMax = 8;     // rows that the products take at once, at most; divides kBlock
constexpr int64_t kLanes = 16;           // partial sums kept for each row: the widest vector
constexpr float kMinExponent = -125.0f;  // exponents are clamped here, above the denormals
constexpr double kNormEps = 1e-12;       // as F.normalize

/// exp2(scale * s - shift): how a similarity becomes a weight when one shift serves all rows.
struct FixedShift {
  float scale;  ///< log2(e) / tau
  float shift;
};

/// The state of log-sum-exp rows when no fixed shift is safe: sum of exp2(scale * (s - top)).
struct RunningRows {
  float* top;
  float* sum;
};

struct TileKernels {
  /// Reads `count` rows of x (row-major, any alignment), writes them normalised (or copied) as zd and zt,
  /// clears g (may be null), and writes max(|x|, eps), negative where eps rules, to norms. Returns the
  /// largest squared norm of what was written; NaN or infinity when a row is not finite. Missing rows of the
  /// block are zero.
  double (*load_block)(float* zd, float* zt, float* g, double* norms, const float* x, int64_t count,
                       int64_t dim, int64_t panel, bool normalize);

  /// tile = Zi Zj'
  void (*similarity)(float* tile, const float* zt_i, const float* zt_j, int64_t ni, int64_t nj, int64_t dim);

  /// Adds exp2 of the tile to the row sums (kLanes partials a row) and, when not null, the column sums.
  /// Writes the exponentials to `kept`, `panel` to a row, unless that is null; past the caches if it
  /// `streams`.
  void (*sum_fixed)(float* kept, bool streams, const float* tile, float* row_lanes, float* column_sums,
                    int64_t ni, int64_t nj, int64_t panel, FixedShift shift);

  /// tile = H = e (r_i + r_j), e = what was `kept`, or exp2 of the tile when that is null.
  void (*weigh_fixed)(float* tile, const float* kept, const float* r_i, const float* r_j, int64_t ni,
                      int64_t nj, int64_t panel, FixedShift shift);

  /// Running log-sum-exp over the tile's rows, and over its columns unless `columns.top` is null.
  void (*sum_running)(float* tile, RunningRows rows, RunningRows columns, int64_t ni, int64_t nj,
                      float scale);

  /// tile = H = exp2(scale (s - top_i) - log2_sum_i) + the same of j.
  void (*weigh_running)(float* tile, RunningRows rows, RunningRows columns, int64_t ni, int64_t nj,
                        float scale);

  /// g_i += H Zj, and g_j += H' Zi.
  void (*add_rows)(float* g_i, const float* tile, const float* zd_j, int64_t ni, int64_t nj, int64_t dim,
                   int64_t panel);
  void (*add_columns)(float* g_j, const float* tile, const float* zd_i, int64_t ni, int64_t nj, int64_t dim,
                      int64_t panel);

  /// Turns g of `count` rows into the gradient of x, row-major. Returns sum_i z_i . g_i (unscaled).
  double (*store_rows)(float* gradient, const float* g, const float* zd, const double* norms, int64_t count,
                       int64_t dim, int64_t panel, double scale, bool normalize);
};

/// H rounded to bf16, with columns that are a multiple of 32.
struct RoundedWeights {
  uint32_t* rows;     ///< two columns in a word: [row][kTileLd / 2]
  uint32_t* columns;  ///< two rows in a word: [row pair][kTileLd]; null where H' is not multiplied
};

/// The products on bf16 operands with fp32 accumulation; all else stays fp32.
/// "zt16" is zt with two dims in a word: [row block][dim pair][32 rows]; "zd16" is zd with two rows in a
/// word: [dim block][row pair][32 dims]. Both are arrays of 32-bit words, half as many as the fp32 layout
/// has.
struct Bf16Kernels {
  /// Rounds one block of 32 rows. zd and zd16 point at the block's first row in its panel; zt16 at its row
  /// block.
  void (*pack_block)(uint32_t* zt16, uint32_t* zd16, const float* zd, int64_t dim, int64_t panel);
  /// tile = Zi Zj'
  void (*similarity)(float* tile, const uint32_t* zt16_i, const uint32_t* zt16_j, int64_t ni, int64_t nj,
                     int64_t dim);
  void (*round_weights)(RoundedWeights h, const float* tile, int64_t ni, int64_t nj);
  /// h = e (r_i + r_j) with e = kept, in one pass over it.
  void (*weigh_kept)(RoundedWeights h, const float* kept, const float* r_i, const float* r_j, int64_t ni,
                     int64_t nj, int64_t panel);
  /// g_i += H Zj with h.rows, and g_j += H' Zi with h.columns.
  void (*add_rows)(float* g_i, const uint32_t* rows, const uint32_t* zd16_j, int64_t ni, int64_t nj,
                   int64_t dim, int64_t panel);
  void (*add_columns)(float* g_j, const uint32_t* columns, const uint32_t* zd16_i, int64_t ni, int64_t nj,
                      int64_t dim, int64_t panel);
};

const TileKernels& table_of(Isa isa);  // one that this build has
const Bf16Kernels* bf16_products();    // null where the path in use has none

}  // namespace vssl::ntxent
