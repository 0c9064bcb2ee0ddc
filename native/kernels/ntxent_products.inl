// The matrix products of NT-Xent over the vectors of an isa_*.inl.
//
// A word is what one lane multiplies: an fp32 value, or a pair of bf16 values where fma is a dot product of
// pairs.

constexpr int64_t kVecsPerBlock = kBlock / kWidth;
constexpr int64_t kDepthStep = 128;  // a slice of zt_j stays in L1; also bounds the length of one fp32 sum

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// c[kRows][kVecs vectors] (+)= sum_k a(row, k) b[k][...]; a(row, k) = a[row kRowStride + k kDepthStride].
template <int kRows, int kVecs, int64_t kRowStride, int64_t kDepthStride>
inline void multiply_add(float* c, int64_t ldc, const float* a, const float* b, int64_t depth,
                         bool accumulate) {
  Vec acc[kRows][kVecs];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; ++v) acc[r][v] = accumulate ? load(c + r * ldc + v * kWidth) : zero();
  }
  for (int64_t k = 0; k < depth; ++k) {
    Vec bv[kVecs];
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; ++v) bv[v] = load(b + k * kBlock + v * kWidth);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const Vec ar = set1(a[r * kRowStride + k * kDepthStride]);
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) acc[r][v] = fma(ar, bv[v], acc[r][v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; ++v) store(c + r * ldc + v * kWidth, acc[r][v]);
  }
}

// All vectors of one block of 32 columns, of which the first `vecs` matter.
template <int64_t kRowStride, int64_t kDepthStride>
inline void multiply_add_block(float* c, int64_t ldc, const float* a, const float* b, int64_t depth,
                               int64_t vecs, bool accumulate) {
  int64_t v = 0;
  for (; v + kMicroVecs <= vecs; v += kMicroVecs) {
    multiply_add<kMicroRows, kMicroVecs, kRowStride, kDepthStride>(c + v * kWidth, ldc, a, b + v * kWidth,
                                                                   depth, accumulate);
  }
  for (; v < vecs; ++v) {
    multiply_add<kMicroRows, 1, kRowStride, kDepthStride>(c + v * kWidth, ldc, a, b + v * kWidth, depth,
                                                          accumulate);
  }
}

// tile = Zi Zj', over `dim` words a row.
inline void similarity(float* tile, const float* zt_i, const float* zt_j, int64_t ni, int64_t nj,
                       int64_t dim) {
  for (int64_t k = 0; k < dim; k += kDepthStep) {
    const int64_t depth = dim - k < kDepthStep ? dim - k : kDepthStep;
    for (int64_t column = 0; column < nj; column += kBlock) {
      const int64_t left = nj - column;
      const int64_t vecs = left < kBlock ? ceil_div(left, kWidth) : kVecsPerBlock;
      const float* b = zt_j + column * dim + k * kBlock;
      for (int64_t row = 0; row < ni; row += kMicroRows) {
        const float* a = zt_i + row / kBlock * kBlock * dim + row % kBlock + k * kBlock;
        multiply_add_block<1, kBlock>(tile + row * kTileLd + column, kTileLd, a, b, depth, vecs, k > 0);
      }
    }
  }
}

// g[rows][dim] += sum_k tile(row, k) z[k][dim]; a dim block of z has `z_panel` lines.
template <int64_t kRowStride, int64_t kDepthStride>
inline void add_product(float* g, const float* tile, const float* z, int64_t rows, int64_t depth, int64_t dim,
                        int64_t panel, int64_t z_panel) {
  for (int64_t first = 0; first < dim; first += kBlock) {
    const int64_t left = dim - first;
    const int64_t vecs = left < kBlock ? ceil_div(left, kWidth) : kVecsPerBlock;
    for (int64_t row = 0; row < rows; row += kMicroRows) {
      multiply_add_block<kRowStride, kDepthStride>(g + first * panel + row * kBlock, kBlock,
                                                   tile + row * kRowStride, z + first * z_panel, depth, vecs,
                                                   true);
    }
  }
}
