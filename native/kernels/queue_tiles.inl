// Inner loops of the queue's loss over the vectors of an isa_*.inl.

#include "isa_vector_exp2.inl"
#include "ntxent_products.inl"
#include "queue_products.inl"

void scores(float* tile, const float* keys, const float* next, const float* qt, int64_t nk, int64_t nq,
            int64_t dim) {
  score_panel<kBlock>(tile, keys, next, qt, nk, nq, dim);
}

// One to two vectors of queries.
template <bool kPulls, int kVecs>
inline void weigh_fixed_column(float* tile, float* sums, const KeyTerms& terms, int64_t nk) {
  Vec sum[kVecs];
  for (int v = 0; v < kVecs; ++v) sum[v] = load(sums + v * kWidth);
  for (int64_t row = 0; row < nk; ++row) {
    const Vec slope = set1(terms.slope[row]), offset = set1(terms.offset[row]);
    const Vec pull = set1(terms.pull[row]);
    for (int v = 0; v < kVecs; ++v) {
      float* s = tile + row * kTileLd + v * kWidth;
      const Vec e = exp2_in_range(fma(load(s), slope, offset));
      sum[v] = add(sum[v], e);
      store(s, kPulls ? mul(e, pull) : e);
    }
  }
  for (int v = 0; v < kVecs; ++v) store(sums + v * kWidth, sum[v]);
}

template <bool kPulls>
inline void weigh_fixed_columns(float* tile, float* sums, const KeyTerms& terms, int64_t nk, int64_t nq) {
  int64_t column = 0;
  for (; column + kWidth < nq; column += 2 * kWidth) {
    weigh_fixed_column<kPulls, 2>(tile + column, sums + column, terms, nk);
  }
  if (column < nq) weigh_fixed_column<kPulls, 1>(tile + column, sums + column, terms, nk);
}

void weigh_fixed(float* tile, float* sums, const KeyTerms& terms, bool pulls, int64_t nk, int64_t nq) {
  if (pulls) {
    weigh_fixed_columns<true>(tile, sums, terms, nk, nq);
  } else {
    weigh_fixed_columns<false>(tile, sums, terms, nk, nq);
  }
}

bool weigh_running(float* tile, float* sums, float* tops, float* factors, const KeyTerms& terms, int64_t nk,
                   int64_t nq) {
  bool moved = false;
  for (int64_t column = 0; column < nq; column += kWidth) {
    const Vec old_top = load(tops + column);
    Vec top = old_top;
    for (int64_t row = 0; row < nk; ++row) {
      float* s = tile + row * kTileLd + column;
      const Vec x = fma(load(s), set1(terms.slope[row]), set1(terms.offset[row]));
      store(s, x);
      top = max(top, x);
    }
    const Vec factor = exp2_clamped(sub(old_top, top));
    Vec sum = mul(load(sums + column), factor);
    for (int64_t row = 0; row < nk; ++row) {
      float* s = tile + row * kTileLd + column;
      const Vec e = exp2_clamped(sub(load(s), top));
      sum = add(sum, e);
      store(s, mul(e, set1(terms.pull[row])));
    }
    store(sums + column, sum);
    store(tops + column, top);
    store(factors + column, factor);
    for (int l = 0; l < kWidth; ++l) moved = moved || factors[column + l] != 1.0f;
  }
  return moved;
}

void add_keys(float* g, const float* tile, const float* keys, int64_t nk, int64_t nq, int64_t dim) {
  add_product<1, kTileLd>(g, tile, keys, nq, nk, dim, kQueryPanel, kKeyPanel);
}

void rescale(float* g, const float* factors, int64_t nq, int64_t dim) {
  for (int64_t first = 0; first < dim; first += kBlock) {
    for (int64_t row = 0; row < nq; ++row) {
      float* out = g + first * kQueryPanel + row * kBlock;
      const Vec factor = set1(factors[row]);
      for (int64_t k = 0; k < kBlock; k += kWidth) store(out + k, mul(load(out + k), factor));
    }
  }
}

void add_scaled(float* g, const float* part, const float* factors, int64_t nq, int64_t dim) {
  for (int64_t first = 0; first < dim; first += kBlock) {
    for (int64_t row = 0; row < nq; ++row) {
      const int64_t offset = first * kQueryPanel + row * kBlock;
      const Vec factor = set1(factors[row]);
      for (int64_t k = 0; k < kBlock; k += kWidth) {
        store(g + offset + k, fma(load(part + offset + k), factor, load(g + offset + k)));
      }
    }
  }
}

const QueueTiles kTable = {scores, weigh_fixed, weigh_running, add_keys, rescale, add_scaled};
