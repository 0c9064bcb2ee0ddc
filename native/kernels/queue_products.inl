// The first product of the queue's loss over a vector type. Included after ntxent_products.inl, under the
// same rules; a word is what one lane multiplies, as there.

// tile[kRows keys][kVecs vectors of queries] (+)= sum over `words` of key words (broadcast) and query words.
// `keys` is the first of the rows in its panel, at the first word; the sum stays in registers across dim
// blocks.
template <int kRows, int kVecs, int64_t kWords>
inline void score_rows(float* tile, const float* keys, const float* qt, int64_t words, bool accumulate) {
  Vec acc[kRows][kVecs];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; ++v) acc[r][v] = accumulate ? load(tile + r * kTileLd + v * kWidth) : zero();
  }
  for (int64_t first = 0; first < words; first += kWords) {
    const int64_t n = words - first < kWords ? words - first : kWords;
    const float* a = keys + first * kKeyPanel;
    const float* b = qt + first * kBlock;
    for (int64_t k = 0; k < n; ++k) {
      Vec bv[kVecs];
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) bv[v] = load(b + k * kBlock + v * kWidth);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const Vec ar = set1(a[r * kWords + k]);
#pragma GCC unroll 4
        for (int v = 0; v < kVecs; ++v) acc[r][v] = fma(ar, bv[v], acc[r][v]);
      }
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; ++v) store(tile + r * kTileLd + v * kWidth, acc[r][v]);
  }
}

constexpr int64_t kFetchWords = kDepthStep * kBlock / kQueryPanel;  // of each key, beside a block of queries

// Asks for words first .. end of kMicroRows keys of a panel, of which `keys` is the first, to come from
// memory.
template <int64_t kWords>
inline void fetch_keys(const float* keys, int64_t first, int64_t end) {
  constexpr int64_t kLine = 64 / sizeof(float);
  for (int64_t block = first; block < end; block += kWords) {
    const float* rows = keys + block * kKeyPanel;
    for (int64_t w = 0; w < kMicroRows * kWords; w += kLine) __builtin_prefetch(rows + w, 0, 2);
  }
}

// tile = K Q', over `words` words a row, kWords of them a block of keys. Keys are taken in whole groups of
// kMicroRows: a panel always has them all. `next`, where not null, is the panel that will be wanted next: a
// queue is larger than the caches, and processors' own prefetchers start anew at each page. Blocks of queries
// share its lines.
template <int64_t kWords>
inline void score_panel(float* tile, const float* keys, const float* next, const float* qt, int64_t nk,
                        int64_t nq, int64_t words) {
  for (int64_t first = 0; first < words; first += kDepthStep) {
    const int64_t depth = words - first < kDepthStep ? words - first : kDepthStep;
    for (int64_t column = 0; column < nq; column += kBlock) {
      const int64_t left = nq - column;
      const int64_t vecs = left < kBlock ? ceil_div(left, kWidth) : kVecsPerBlock;
      const float* b = qt + column * words + first * kBlock;
      for (int64_t row = 0; row < nk; row += kMicroRows) {
        const float* a = keys + first * kKeyPanel + row * kWords;
        float* out = tile + row * kTileLd + column;
        const int64_t ahead = first + column / kBlock * kFetchWords;
        if (next != nullptr)
          fetch_keys<kWords>(next + row * kWords, ahead, std::min(ahead + kFetchWords, first + depth));
        int64_t v = 0;
        for (; v + kMicroVecs <= vecs; v += kMicroVecs) {
          score_rows<kMicroRows, kMicroVecs, kWords>(out + v * kWidth, a, b + v * kWidth, depth, first > 0);
        }
        for (; v < vecs; ++v) {
          score_rows<kMicroRows, 1, kWords>(out + v * kWidth, a, b + v * kWidth, depth, first > 0);
        }
      }
    }
  }
}
