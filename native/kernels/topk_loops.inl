// Inner loops of topk_dot() over the vectors of an isa_*.inl.

constexpr int64_t kTileRows = kWidth > 4 ? kWidth / kTileQueries : 2;
constexpr int64_t kTileScores = kTileRows * kTileQueries;
constexpr int64_t kFetchAhead = 8192;  // bytes, at least: half as much costs a fifth, nothing twice the time

struct Fp32Rows {
  using Value = float;
  static Vec vector_at(const Value* p) { return load(p); }
};
struct Fp16Rows {
  using Value = uint16_t;
  static Vec vector_at(const Value* p) { return load_fp16(p); }
};
struct Bf16Rows {
  using Value = uint16_t;
  static Vec vector_at(const Value* p) { return load_bf16(p); }
};
struct Int8Rows {
  using Value = int8_t;
  static Vec vector_at(const Value* p) { return load(p); }
};

// Lanes of the last, partial vector that are not in the one before it.
inline Vec last_lanes(int64_t count) {
  uint32_t words[kWidth];
  for (int64_t l = 0; l < kWidth; ++l) words[l] = l < kWidth - count ? 0u : 0xffffffffu;
  float lanes[kWidth];
  std::memcpy(lanes, words, sizeof lanes);
  return load(lanes);
}

// The last `count` values of a row, 0 < count < kWidth, in the last lanes; the others are zero.
template <class Rows>
inline Vec last_vector(const typename Rows::Value* row, int64_t dim, int64_t count, Vec lanes) {
  if (dim >= kWidth) return both(Rows::vector_at(row + dim - kWidth), lanes);
  typename Rows::Value values[kWidth] = {};
  for (int64_t i = 0; i < count; ++i) values[kWidth - count + i] = row[i];
  return Rows::vector_at(values);
}

inline void pack_groups(float* packed, const float* queries, int64_t count, int64_t group, int64_t dim) {
  const int64_t whole = dim / kWidth, rest = dim % kWidth, vectors = whole + (rest > 0);
  const Vec lanes = last_lanes(rest);
  for (int64_t i = 0; i < (count + group - 1) / group * group; ++i) {
    const float* query = queries + i * dim;
    float* to = packed + (i / group * group * vectors + i % group) * kWidth;
    for (int64_t v = 0; v < vectors; ++v) {
      Vec values = zero();
      if (i < count) {
        values = v < whole ? load(query + v * kWidth) : last_vector<Fp32Rows>(query, dim, rest, lanes);
      }
      store(to + v * group * kWidth, values);
    }
  }
}

// Many queries are multiplied in panels, whose lanes are queries, while one lane of all vectors of a row
// after the other is broadcast. The chains are those of tiles, and so is the tree that joins them, so the
// bits are the same; but nothing has to be added up along a vector, which costs as much as two multiply-adds
// each.
constexpr int64_t kPanelRows = 6, kPanelVectors = kWidth > 8 ? 4 : 2;
constexpr int64_t kPanelQueries = kPanelVectors * kWidth, kPanelChains = kPanelRows * kPanelVectors;
static_assert(kPanelRows <= kMostPanelRows && kMostQueries % kPanelQueries == 0);

// Whether so many queries fill panels well enough: tiles waste nothing, and are slower.
inline bool fill_panels(int64_t count) {
  return 4 * count >= 3 * ((count + kPanelQueries - 1) / kPanelQueries * kPanelQueries);
}

// [panel][lane, in the order of kLaneOrder][vector of the query][query]; missing queries are zero.
inline void pack_panels(float* packed, const float* queries, int64_t count, int64_t dim) {
  const int64_t whole = dim / kWidth, rest = dim % kWidth, vectors = whole + (rest > 0);
  const Vec lanes = last_lanes(rest);
  for (int64_t i = 0; i < (count + kPanelQueries - 1) / kPanelQueries * kPanelQueries; ++i) {
    const float* query = queries + i * dim;
    float* to = packed + i / kPanelQueries * kPanelQueries * vectors * kWidth + i % kPanelQueries;
    for (int64_t v = 0; v < vectors; ++v) {
      float values[kWidth] = {};
      if (i < count) {
        store(values, v < whole ? load(query + v * kWidth) : last_vector<Fp32Rows>(query, dim, rest, lanes));
      }
      for (int64_t step = 0; step < kWidth; ++step)
        to[(step * vectors + v) * kPanelQueries] = values[kLaneOrder[step]];
    }
  }
}

void pack(float* packed, const float* queries, int64_t count, int64_t dim) {
  if (count > 1 && fill_panels(count)) return pack_panels(packed, queries, count, dim);
  pack_groups(packed, queries, count, count == 1 ? 1 : kTileQueries, dim);
}

// Asks for `bytes` from `from` on to come from memory: processors' own prefetchers start anew at each page.
template <int kNearness = 2>  // into L2; 3: into L1
inline void fetch(const void* from, int64_t bytes) {
  for (int64_t i = 0; i < bytes; i += 64)
    __builtin_prefetch(static_cast<const char*>(from) + i, 0, kNearness);
}

// chains[r] is that of row r against one query. Four vectors at a time, so that a line is asked for about
// once.
template <class Rows>
inline void chains_of_four(Vec (&chains)[4], const typename Rows::Value* const (&rows)[4], const float* query,
                           int64_t dim, int64_t ahead) {
  using Value = typename Rows::Value;
  constexpr int64_t kStep = 4 * kWidth;
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r) chains[r] = zero();
  int64_t d = 0;
  for (; d + kStep <= dim; d += kStep) {
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) {
      fetch(reinterpret_cast<const char*>(rows[r] + d) + ahead, kStep * static_cast<int64_t>(sizeof(Value)));
    }
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) {
      const Vec q = load(query + d + v * kWidth);
#pragma GCC unroll 4
      for (int r = 0; r < 4; ++r) chains[r] = fma(Rows::vector_at(rows[r] + d + v * kWidth), q, chains[r]);
    }
  }
  for (; d + kWidth <= dim; d += kWidth) {
    const Vec q = load(query + d);
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) chains[r] = fma(Rows::vector_at(rows[r] + d), q, chains[r]);
  }
  if (d == dim) return;
  const Vec q = load(query + d), lanes = last_lanes(dim - d);
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r) chains[r] = fma(last_vector<Rows>(rows[r], dim, dim - d, lanes), q, chains[r]);
}

// Adds the rows of scores[0..count) that `hits` has bits for.
inline void add_hits(Best& best, Vec scores, unsigned hits, int64_t row, int64_t count) {
  float values[kWidth];
  store(values, scores);
  for (int64_t r = 0; r < count; ++r) {
    if ((hits >> r & 1) != 0 && !(values[r] <= best.floor())) best.add(values[r], row + r);
  }
}

// `count` of them; the others are nobody's.
inline Vec scales_at(const float* scales, int64_t count) {
  if (count == kWidth) return load(scales);
  float some[kWidth] = {};
  for (int64_t r = 0; r < count; ++r) some[r] = scales[r];
  return load(some);
}

template <class Rows>
void scan_one(Best& best, const float* query, const DotRows& rows, int64_t begin, int64_t end) {
  using Value = typename Rows::Value;
  const auto* const values = static_cast<const Value*>(rows.values);
  const int64_t ahead = std::max<int64_t>(kFetchAhead, 4 * rows.dim * static_cast<int64_t>(sizeof(Value)));
  for (int64_t first = begin; first < end; first += kWidth) {
    const int64_t count = std::min<int64_t>(kWidth, end - first);
    Vec chains[kWidth];
#pragma GCC unroll 4
    for (int64_t part = 0; part < kWidth; part += 4) {
      const Value* of_four[4];  // the last row several times where there are no more
#pragma GCC unroll 4
      for (int64_t r = 0; r < 4; ++r)
        of_four[r] = values + (first + std::min(part + r, count - 1)) * rows.dim;
      Vec four[4];
      chains_of_four<Rows>(four, of_four, query, rows.dim, ahead);
#pragma GCC unroll 4
      for (int64_t r = 0; r < 4; ++r) chains[part + r] = four[r];
    }
    Vec scores = sums_of(chains);
    if (rows.scales != nullptr) scores = mul(scores, scales_at(rows.scales + first, count));
    const unsigned hits = above(scores, set1(best.floor()));
    if (hits != 0) add_hits(best, scores, hits, first, count);
  }
}

// `all` rows, widened and packed: tiles of kSideBySide rows one after the other. Of those `count` are there,
// the others are zero.
template <class Rows, int64_t kSideBySide>
inline void pack_rows(float* packed, const typename Rows::Value* values, int64_t count, int64_t all,
                      int64_t dim) {
  const int64_t whole = dim / kWidth, rest = dim % kWidth, vectors = whole + (rest > 0);
  const Vec lanes = last_lanes(rest);
  for (int64_t i = 0; i < all; ++i) {
    const typename Rows::Value* row = values + i * dim;
    float* to = packed + (i / kSideBySide * kSideBySide * vectors + i % kSideBySide) * kWidth;
    if (i >= count) {
      for (int64_t v = 0; v < vectors; ++v) store(to + v * kSideBySide * kWidth, zero());
      continue;
    }
    for (int64_t v = 0; v < whole; ++v)
      store(to + v * kSideBySide * kWidth, Rows::vector_at(row + v * kWidth));
    if (rest > 0) store(to + whole * kSideBySide * kWidth, last_vector<Rows>(row, dim, rest, lanes));
  }
}

// scores[row][query] of a tile, unscaled.
inline void multiply_tile(float* scores, const float* rows, const float* queries, int64_t vectors) {
  Vec chains[kTileScores];
#pragma GCC unroll 16
  for (int64_t i = 0; i < kTileScores; ++i) chains[i] = zero();
  for (int64_t v = 0; v < vectors; ++v) {
    Vec row[kTileRows];
#pragma GCC unroll 4
    for (int64_t r = 0; r < kTileRows; ++r) row[r] = load(rows + (v * kTileRows + r) * kWidth);
#pragma GCC unroll 4
    for (int64_t q = 0; q < kTileQueries; ++q) {
      const Vec query = load(queries + (v * kTileQueries + q) * kWidth);
#pragma GCC unroll 4
      for (int64_t r = 0; r < kTileRows; ++r)
        chains[r * kTileQueries + q] = fma(row[r], query, chains[r * kTileQueries + q]);
    }
  }
#pragma GCC unroll 4
  for (int64_t part = 0; part < kTileScores; part += kWidth) {
    Vec some[kWidth];
#pragma GCC unroll 16
    for (int64_t i = 0; i < kWidth; ++i) some[i] = chains[part + i];
    store(scores + part, sums_of(some));
  }
}

// What tiles are multiplied with and compared to: a value for each of their scores.
struct TileTerms {
  float scales[kMostBlockRows * kTileQueries];  // of each row of a block, once for each query of a tile
  float floors[kMostQueries * kTileRows];       // of each group of queries, once for each row of a tile
  Best* best;
  int64_t queries;
};

inline void renew_floors(TileTerms& terms, int64_t group) {
  for (int64_t i = 0; i < kTileScores; ++i) {
    const int64_t query = group * kTileQueries + i % kTileQueries;
    terms.floors[group * kTileScores + i] =
        query < terms.queries ? terms.best[query].floor() : std::numeric_limits<float>::infinity();
  }
}

// The scores of a tile that beat their queries' floors. `row` is the tile's first, of `count` that there are.
inline void offer_tile(TileTerms& terms, float* scores, const float* scales, int64_t group, int64_t row,
                       int64_t count) {
  unsigned hits = 0;
#pragma GCC unroll 4
  for (int64_t part = 0; part < kTileScores; part += kWidth) {
    const Vec scaled = mul(load(scores + part), load(scales + part));
    hits |= above(scaled, load(terms.floors + group * kTileScores + part)) << part;
    store(scores + part, scaled);
  }
  if (hits == 0) return;
  for (int64_t i = 0; i < std::min(count, kTileRows) * kTileQueries; ++i) {
    const int64_t query = group * kTileQueries + i % kTileQueries;
    if ((hits >> i & 1) != 0 && query < terms.queries)
      terms.best[query].add(scores[i], row + i / kTileQueries);
  }
  renew_floors(terms, group);
}

template <class Rows>
void scan_tiles(Best* best, const PackedQueries& queries, const DotRows& rows, int64_t begin, int64_t end,
                float* packed_rows) {
  const int64_t dim = rows.dim, vectors = (dim + kWidth - 1) / kWidth, most = block_rows(dim);
  const int64_t groups = (queries.count + kTileQueries - 1) / kTileQueries;
  const int64_t row_bytes = dim * static_cast<int64_t>(sizeof(typename Rows::Value));
  const int64_t share =
      most * row_bytes / (groups * (most / kTileRows)) + 1;  // of the next block, beside a tile
  const auto* const values = static_cast<const typename Rows::Value*>(rows.values);
  TileTerms terms;
  terms.best = best;
  terms.queries = queries.count;
  for (int64_t i = 0; i < most * kTileQueries; ++i) terms.scales[i] = 1.0f;
  for (int64_t group = 0; group < groups; ++group) renew_floors(terms, group);
  for (int64_t first = begin; first < end; first += most) {
    const int64_t count = std::min(most, end - first);
    pack_rows<Rows, kTileRows>(packed_rows, values + first * dim, count,
                               (count + kTileRows - 1) / kTileRows * kTileRows, dim);
    for (int64_t i = 0; rows.scales != nullptr && i < count * kTileQueries; ++i)
      terms.scales[i] = rows.scales[first + i / kTileQueries];
    const char* next = reinterpret_cast<const char*>(values + (first + count) * dim);
    for (int64_t group = 0; group < groups; ++group) {
      const float* const packed = queries.values + group * kTileQueries * vectors * kWidth;
      for (int64_t row = 0; row < count; row += kTileRows, next += share) {
        fetch(next, share);
        alignas(64) float scores[kTileScores];
        multiply_tile(scores, packed_rows + row * vectors * kWidth, packed, vectors);
        offer_tile(terms, scores, terms.scales + row * kTileQueries, group, first + row, count - row);
      }
    }
  }
}

// scores[row][query] of a panel, unscaled. Each row is `length` floats after the other. Asks for `share`
// bytes from `next` on at each lane.
inline void multiply_panel(float* scores, const float* rows, int64_t length, const float* queries,
                           int64_t vectors, const char* next, int64_t share) {
  constexpr int kLevels = kWidth > 8 ? 4 : kWidth > 4 ? 3 : 2;
  alignas(64) float waiting[kLevels][kPanelChains * kWidth];  // of the tree: what waits for its other half
  for (int64_t step = 0; step < kWidth; ++step, next += share) {
    fetch<3>(next, share);
    const float* const row = rows + kLaneOrder[step];
    const float* const query = queries + step * vectors * kPanelQueries;
    Vec chains[kPanelChains];
#pragma GCC unroll 24
    for (int64_t i = 0; i < kPanelChains; ++i) chains[i] = zero();
    for (int64_t v = 0; v < vectors; ++v) {
      Vec of_query[kPanelVectors];
#pragma GCC unroll 4
      for (int64_t q = 0; q < kPanelVectors; ++q)
        of_query[q] = load(query + (v * kPanelVectors + q) * kWidth);
#pragma GCC unroll 6
      for (int64_t r = 0; r < kPanelRows; ++r) {
        const Vec value = set1(row[r * length + v * kWidth]);
#pragma GCC unroll 4
        for (int64_t q = 0; q < kPanelVectors; ++q)
          chains[r * kPanelVectors + q] = fma(value, of_query[q], chains[r * kPanelVectors + q]);
      }
    }
    int level = 0;
    for (; (step >> level & 1) != 0; ++level) {
#pragma GCC unroll 24
      for (int64_t i = 0; i < kPanelChains; ++i)
        chains[i] = add(load(waiting[level] + i * kWidth), chains[i]);
    }
    float* const to = level < kLevels ? waiting[level] : scores;
#pragma GCC unroll 24
    for (int64_t i = 0; i < kPanelChains; ++i) store(to + i * kWidth, chains[i]);
  }
}

// The scores of a panel that beat their queries' floors.
inline void offer_panel(Best* best, float* floors, const float* scores, const DotRows& rows, int64_t row,
                        int64_t count, int64_t queries) {
  for (int64_t r = 0; r < count; ++r) {
    const Vec scale = set1(rows.scales != nullptr ? rows.scales[row + r] : 1.0f);
    for (int64_t first = 0; first < kPanelQueries; first += kWidth) {
      const Vec scaled = mul(load(scores + r * kPanelQueries + first), scale);
      const unsigned hits = above(scaled, load(floors + first));
      if (hits == 0) continue;
      float values[kWidth];
      store(values, scaled);
      for (int64_t q = first; q < std::min(first + kWidth, queries); ++q) {
        if ((hits >> (q - first) & 1) == 0) continue;
        best[q].add(values[q - first], row + r);
        floors[q] = best[q].floor();
      }
    }
  }
}

template <class Rows>
void scan_panels(Best* best, const PackedQueries& queries, const DotRows& rows, int64_t begin, int64_t end,
                 float* packed_rows) {
  const int64_t dim = rows.dim, vectors = (dim + kWidth - 1) / kWidth;
  const int64_t panels = (queries.count + kPanelQueries - 1) / kPanelQueries;
  const int64_t row_bytes = dim * static_cast<int64_t>(sizeof(typename Rows::Value));
  const int64_t share = kPanelRows * row_bytes / (panels * kWidth) + 1;  // of the next rows, beside a lane
  const auto* const values = static_cast<const typename Rows::Value*>(rows.values);
  alignas(64) float floors[kMostQueries];
  for (int64_t q = 0; q < kMostQueries; ++q)
    floors[q] = q < queries.count ? best[q].floor() : std::numeric_limits<float>::infinity();
  for (int64_t first = begin; first < end; first += kPanelRows) {
    const int64_t count = std::min(kPanelRows, end - first);
    const float* panel_rows = packed_rows;
    if (rows.type == RowType::kFp32 && count == kPanelRows && dim % kWidth == 0) {
      panel_rows = reinterpret_cast<const float*>(values + first * dim);  // as they lie
    } else {
      pack_rows<Rows, 1>(packed_rows, values + first * dim, count, kPanelRows, dim);
    }
    const char* next = reinterpret_cast<const char*>(values + (first + count) * dim);
    for (int64_t panel = 0; panel < panels; ++panel, next += share * kWidth) {
      alignas(64) float scores[kPanelChains * kWidth];
      multiply_panel(scores, panel_rows, vectors * kWidth,
                     queries.values + panel * kPanelQueries * vectors * kWidth, vectors, next, share);
      const int64_t from = panel * kPanelQueries;
      offer_panel(best + from, floors + from, scores, rows, first, count, queries.count - from);
    }
  }
}

template <class Rows>
void scan_many(Best* best, const PackedQueries& queries, const DotRows& rows, int64_t begin, int64_t end,
               float* packed_rows) {
  if (fill_panels(queries.count)) return scan_panels<Rows>(best, queries, rows, begin, end, packed_rows);
  scan_tiles<Rows>(best, queries, rows, begin, end, packed_rows);
}

const TopkLoops kTable = {{{scan_one<Fp32Rows>, scan_many<Fp32Rows>},
                           {scan_one<Fp16Rows>, scan_many<Fp16Rows>},
                           {scan_one<Bf16Rows>, scan_many<Bf16Rows>},
                           {scan_one<Int8Rows>, scan_many<Int8Rows>}},
                          pack};
