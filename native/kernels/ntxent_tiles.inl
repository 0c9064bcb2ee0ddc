// Inner loops of NT-Xent over the vectors of an isa_*.inl.

#include "isa_vector_exp2.inl"
#include "ntxent_products.inl"

double squared_norm(const float* x, int64_t dim) {
  double lanes[8] = {};
  int64_t k = 0;
  for (; k + 8 <= dim; k += 8) {
    for (int l = 0; l < 8; ++l) lanes[l] += static_cast<double>(x[k + l]) * x[k + l];
  }
  double sum =
      ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) + ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
  for (; k < dim; ++k) sum += static_cast<double>(x[k]) * x[k];
  return sum;
}

void load_row(float* zd, const float* x, int64_t dim, int64_t panel, double factor) {
  for (int64_t block = 0; block * kBlock < dim; ++block) {
    float* out = zd + block * panel * kBlock;
    const float* in = x + block * kBlock;
    const int64_t n = dim - block * kBlock < kBlock ? dim - block * kBlock : kBlock;
    for (int64_t k = 0; k < n; ++k) out[k] = static_cast<float>(in[k] * factor);
    for (int64_t k = n; k < kBlock; ++k) out[k] = 0;
  }
}

void transpose_block(float* zt, const float* zd, int64_t dim, int64_t panel) {
  for (int64_t k = 0; k < dim; ++k) {
    const float* in = zd + k / kBlock * panel * kBlock + k % kBlock;
    for (int64_t r = 0; r < kBlock; ++r) zt[k * kBlock + r] = in[r * kBlock];
  }
}

double load_block(float* zd, float* zt, float* g, double* norms, const float* x, int64_t count, int64_t dim,
                  int64_t panel, bool normalize) {
  double largest = 0;
  for (int64_t r = 0; r < kBlock; ++r) {
    if (r >= count) {
      for (int64_t block = 0; block * kBlock < dim; ++block) {
        for (int64_t k = 0; k < kBlock; ++k) zd[block * panel * kBlock + r * kBlock + k] = 0;
      }
      continue;
    }
    const double square = squared_norm(x + r * dim, dim);
    if (square > largest || square != square) largest = square;  // NaN stays
    if (normalize) {
      const double norm = __builtin_sqrt(square);
      norms[r] = norm > kNormEps ? norm : -kNormEps;
      load_row(zd + r * kBlock, x + r * dim, dim, panel, 1 / (norm > kNormEps ? norm : kNormEps));
    } else {
      norms[r] = 1;
      load_row(zd + r * kBlock, x + r * dim, dim, panel, 1.0);
    }
  }
  if (zt != nullptr) transpose_block(zt, zd, dim, panel);
  if (g != nullptr) {
    for (int64_t block = 0; block * kBlock < dim; ++block) {
      float* out = g + block * panel * kBlock;
      for (int64_t k = 0; k < kBlock * kBlock; k += kWidth) store(out + k, zero());
    }
  }
  return largest;
}

// keep(row, column, e0, e1) gets two vectors of exponentials.
template <bool kColumns, typename Keep>
inline void sum_fixed_columns(Keep&& keep, const float* tile, float* row_lanes, float* column_sums,
                              int64_t ni, int64_t nj, FixedShift shift) {
  const Vec scale = set1(shift.scale);
  const Vec minus_shift = set1(-shift.shift);
  for (int64_t column = 0; column < nj; column += 2 * kWidth) {
    Vec sum0 = zero(), sum1 = zero();
    for (int64_t row = 0; row < ni; ++row) {
      const float* s = tile + row * kTileLd + column;
      const Vec e0 = exp2_clamped(fma(load(s), scale, minus_shift));
      const Vec e1 = exp2_clamped(fma(load(s + kWidth), scale, minus_shift));
      keep(row, column, e0, e1);
      float* lanes = row_lanes + row * kLanes;
      store(lanes, add(load(lanes), add(e0, e1)));
      if (kColumns) {
        sum0 = add(sum0, e0);
        sum1 = add(sum1, e1);
      }
    }
    if (kColumns) {
      float* sums = column_sums + column;
      store(sums, add(load(sums), sum0));
      store(sums + kWidth, add(load(sums + kWidth), sum1));
    }
  }
}

void sum_fixed(float* kept, bool streams, const float* tile, float* row_lanes, float* column_sums, int64_t ni,
               int64_t nj, int64_t panel, FixedShift shift) {
  const auto sum = [&](auto&& keep) {
    if (column_sums != nullptr) {
      sum_fixed_columns<true>(keep, tile, row_lanes, column_sums, ni, nj, shift);
    } else {
      sum_fixed_columns<false>(keep, tile, row_lanes, nullptr, ni, nj, shift);
    }
  };
  if (kept == nullptr) {
    sum([](int64_t, int64_t, Vec, Vec) {});
  } else if (streams) {
    sum([&](int64_t row, int64_t column, Vec e0, Vec e1) {
      stream(kept + row * panel + column, e0);
      stream(kept + row * panel + column + kWidth, e1);
    });
    finish_streaming();
  } else {
    sum([&](int64_t row, int64_t column, Vec e0, Vec e1) {
      store(kept + row * panel + column, e0);
      store(kept + row * panel + column + kWidth, e1);
    });
  }
}

template <bool kKept>
inline void weigh_fixed_columns(float* tile, const float* kept, const float* r_i, const float* r_j,
                                int64_t ni, int64_t nj, int64_t panel, FixedShift shift) {
  const Vec scale = set1(shift.scale);
  const Vec minus_shift = set1(-shift.shift);
  for (int64_t row = 0; row < ni; ++row) {
    const Vec ri = set1(r_i[row]);
    float* s = tile + row * kTileLd;
    const float* from = kKept ? kept + row * panel : s;
    for (int64_t column = 0; column < nj; column += 2 * kWidth) {
      Vec e0 = load(from + column), e1 = load(from + column + kWidth);
      if (!kKept) {
        e0 = exp2_clamped(fma(e0, scale, minus_shift));
        e1 = exp2_clamped(fma(e1, scale, minus_shift));
      }
      store(s + column, mul(e0, add(ri, load(r_j + column))));
      store(s + column + kWidth, mul(e1, add(ri, load(r_j + column + kWidth))));
    }
  }
}

void weigh_fixed(float* tile, const float* kept, const float* r_i, const float* r_j, int64_t ni, int64_t nj,
                 int64_t panel, FixedShift shift) {
  if (kept != nullptr) {
    weigh_fixed_columns<true>(tile, kept, r_i, r_j, ni, nj, panel, shift);
  } else {
    weigh_fixed_columns<false>(tile, nullptr, r_i, r_j, ni, nj, panel, shift);
  }
}

inline float largest_lane(Vec v) {
  float lanes[kWidth];
  store(lanes, v);
  float top = lanes[0];
  for (int l = 1; l < kWidth; ++l) top = lanes[l] > top ? lanes[l] : top;
  return top;
}

inline float sum_of_lanes(Vec v) {
  float lanes[kWidth];
  store(lanes, v);
  float sum = 0;
  for (int l = 0; l < kWidth; ++l) sum += lanes[l];
  return sum;
}

inline float exp2_scalar(float x) {
  float lanes[kWidth];
  store(lanes, exp2_clamped(set1(x)));
  return lanes[0];
}

void sum_running_rows(const float* tile, RunningRows rows, int64_t ni, int64_t nj, float scale) {
  for (int64_t row = 0; row < ni; ++row) {
    const float* s = tile + row * kTileLd;
    Vec high = load(s);
    for (int64_t column = kWidth; column < nj; column += kWidth) high = max(high, load(s + column));
    float top = largest_lane(high);
    if (rows.top[row] > top) top = rows.top[row];
    Vec sum = zero();
    for (int64_t column = 0; column < nj; column += kWidth) {
      sum = add(sum, exp2_clamped(mul(sub(load(s + column), set1(top)), set1(scale))));
    }
    const float before = rows.sum[row] * exp2_scalar((rows.top[row] - top) * scale);
    rows.top[row] = top;
    rows.sum[row] = before + sum_of_lanes(sum);
  }
}

void sum_running_columns(const float* tile, RunningRows columns, int64_t ni, int64_t nj, float scale) {
  for (int64_t column = 0; column < nj; column += kWidth) {
    const Vec old_top = load(columns.top + column);
    Vec top = old_top;
    for (int64_t row = 0; row < ni; ++row) top = max(top, load(tile + row * kTileLd + column));
    Vec sum = zero();
    for (int64_t row = 0; row < ni; ++row) {
      sum = add(sum, exp2_clamped(mul(sub(load(tile + row * kTileLd + column), top), set1(scale))));
    }
    const Vec decay = exp2_clamped(mul(sub(old_top, top), set1(scale)));
    store(columns.sum + column, fma(load(columns.sum + column), decay, sum));
    store(columns.top + column, top);
  }
}

void sum_running(float* tile, RunningRows rows, RunningRows columns, int64_t ni, int64_t nj, float scale) {
  sum_running_rows(tile, rows, ni, nj, scale);
  if (columns.top != nullptr) sum_running_columns(tile, columns, ni, nj, scale);
}

void weigh_running(float* tile, RunningRows rows, RunningRows columns, int64_t ni, int64_t nj, float scale) {
  const Vec c = set1(scale);
  for (int64_t row = 0; row < ni; ++row) {
    const Vec top = set1(rows.top[row]), log_sum = set1(rows.sum[row]);
    for (int64_t column = 0; column < nj; column += kWidth) {
      float* place = tile + row * kTileLd + column;
      const Vec s = load(place);
      const Vec of_row = exp2_clamped(sub(mul(sub(s, top), c), log_sum));
      const Vec of_column =
          exp2_clamped(sub(mul(sub(s, load(columns.top + column)), c), load(columns.sum + column)));
      store(place, add(of_row, of_column));
    }
  }
}

void add_rows(float* g_i, const float* tile, const float* zd_j, int64_t ni, int64_t nj, int64_t dim,
              int64_t panel) {
  add_product<kTileLd, 1>(g_i, tile, zd_j, ni, nj, dim, panel, panel);
}

void add_columns(float* g_j, const float* tile, const float* zd_i, int64_t ni, int64_t nj, int64_t dim,
                 int64_t panel) {
  add_product<1, kTileLd>(g_j, tile, zd_i, nj, ni, dim, panel, panel);
}

double dot_row(const float* g, const float* zd, int64_t dim, int64_t panel) {
  double lanes[8] = {};
  for (int64_t first = 0; first < dim; first += kBlock) {
    const float* a = g + first * panel;
    const float* b = zd + first * panel;
    for (int64_t k = 0; k < kBlock; k += 8) {
      for (int l = 0; l < 8; ++l) lanes[l] += static_cast<double>(a[k + l]) * b[k + l];
    }
  }
  return ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) + ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
}

double store_rows(float* gradient, const float* g, const float* zd, const double* norms, int64_t count,
                  int64_t dim, int64_t panel, double scale, bool normalize) {
  double total = 0;
  for (int64_t row = 0; row < count; ++row) {
    const float* g_row = g + row * kBlock;
    const float* z_row = zd + row * kBlock;
    const double along = dot_row(g_row, z_row, dim, panel);
    total += along;
    const bool projects = normalize && norms[row] > 0;
    const double minus_along = projects ? -along : 0.0;
    const double factor = scale / (norms[row] < 0 ? -norms[row] : norms[row]);
    for (int64_t first = 0; first < dim; first += kBlock) {
      const float* gb = g_row + first * panel;
      const float* zb = z_row + first * panel;
      float* out = gradient + row * dim + first;
      const int64_t n = dim - first < kBlock ? dim - first : kBlock;
      for (int64_t k = 0; k < n; ++k) out[k] = static_cast<float>((gb[k] + minus_along * zb[k]) * factor);
    }
  }
  return total;
}

const TileKernels kTable = {load_block,    similarity, sum_fixed,   weigh_fixed, sum_running,
                            weigh_running, add_rows,   add_columns, store_rows};
