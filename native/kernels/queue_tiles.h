// The per-ISA inner loops of InfoNCE against the queue, behind tables of functions; queue_infonce.cpp
// schedules them.
//
// Layouts. Keys are cut into panels of 64, queries into panels of 128, dims into blocks of 32 ("padded dim":
// dim counted as a multiple of 32; what is padding is zero).
// A panel of keys is [dim block][64 keys][32 dims], and so is a panel of the queries' gradient, "g".
// Queries to multiply with are transposed, "qt": [block of 32 queries][dim][32 queries].
// So both products stream contiguous memory, from the one copy of the keys that the queue holds:
//   S' = K Q'        rows broadcast from the keys,  vectors from qt
//   G += W K         rows broadcast from W',        vectors from the keys
// and a tile holds S' or W' as [64 keys][128 queries]: what belongs to a key is one value a row, and sums
// over keys need no reduction across lanes.
#pragma once

#include <cstdint>

#include "isa.h"
#include "ntxent_tiles.h"

namespace vssl::queue {

using ntxent::kBlock;
using ntxent::kMinExponent;
using ntxent::kNormEps;
using ntxent::kTileLd;

constexpr int64_t kKeyPanel = 64;
constexpr int64_t kQueryPanel = kTileLd;
constexpr int64_t kMostPanels = 4;  // of queries, worked on together against one panel of keys
constexpr int64_t kTile = kKeyPanel * kTileLd;

/// How the similarities of a panel of keys become exponents of 2 and weights, one value a key:
/// x_ij = slope_j s_ij + offset_j,  w_ij = pull_j exp2(x_ij).
struct KeyTerms {
  float slope[kKeyPanel];
  float offset[kKeyPanel];
  float pull[kKeyPanel];
};

struct QueueTiles {
  /// tile = K Q' for nk keys of a panel and nq queries. `next`: a panel to fetch meanwhile, or null.
  void (*scores)(float* tile, const float* keys, const float* next, const float* qt, int64_t nk, int64_t nq,
                 int64_t dim);

  /// sums += column sums of exp2(x); the tile becomes w. No x may be below kMinExponent. When not `pulls`,
  /// every pull is taken as 1.
  void (*weigh_fixed)(float* tile, float* sums, const KeyTerms& terms, bool pulls, int64_t nk, int64_t nq);

  /// The same for any x, relative to a running maximum of each query: tops becomes the largest x so far,
  /// factors = exp2(old top - top), sums = factors sums + column sums of exp2(x - top), and the tile becomes
  /// pull exp2(x - top). True when a factor is not 1: what was added up before must then be rescaled by it.
  bool (*weigh_running)(float* tile, float* sums, float* tops, float* factors, const KeyTerms& terms,
                        int64_t nk, int64_t nq);

  /// g += W K
  void (*add_keys)(float* g, const float* tile, const float* keys, int64_t nk, int64_t nq, int64_t dim);

  /// g = factor g, and g += factor part, with one factor a query; nq at most a panel.
  void (*rescale)(float* g, const float* factors, int64_t nq, int64_t dim);
  void (*add_scaled)(float* g, const float* part, const float* factors, int64_t nq, int64_t dim);
};

/// The products on bf16 operands with fp32 accumulation; all else stays fp32. A word holds two dims of one
/// row: word w of a block holds dims w (low) and w + 16 (high), so a panel of keys is
/// [dim block][64 keys][16 words] and qt16 is [block of 32 queries][word][32 queries].
struct QueueBf16Tiles {
  /// Rounds a panel of keys.
  void (*pack)(uint32_t* words, const float* keys, int64_t dim);
  void (*scores)(float* tile, const uint32_t* keys, const uint32_t* next, const uint32_t* qt16, int64_t nk,
                 int64_t nq, int64_t dim);
  /// W' with two keys in a word, [key pair][64 queries].
  void (*pair_weights)(uint32_t* pairs, const float* tile, int64_t nk, int64_t nq);
  /// g += W K for several panels of queries at once, each with its pairs.
  void (*add_keys)(float* g, const uint32_t* pairs, const uint32_t* keys, int64_t nk, int64_t nq,
                   int64_t dim);
};

constexpr int64_t kWordsPerBlock = kBlock / 2;

/// Words of a row: a last block of 16 dims or fewer has no high halves, but takes as many words as dims.
inline int64_t words_of(int64_t dim) {
  const int64_t rest = dim % kBlock;
  return dim / kBlock * kWordsPerBlock + (rest < kWordsPerBlock ? rest : kWordsPerBlock);
}

const QueueTiles& table_of(Isa isa);    // one that this build has
const QueueBf16Tiles* bf16_products();  // null where the path in use has none

}  // namespace vssl::queue
