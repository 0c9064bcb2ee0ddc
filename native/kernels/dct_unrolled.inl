// DCT-II and DCT-III of 4, 8, 16, 32 and 64 frames over a vector type, all in registers or in what the
// compiler spills of them. Included after dct_any.inl, under the same rules.
//
// With U_k = sum_t x_t cos(pi (2t+1) k / 2N) and V_k = sum_t x_t cos(pi (2t+1)(2k+1) / 4N), both unscaled,
//
//   U of N:  even k from U of N/2 of x_t + x_{N-1-t}, odd k from V of N/2 of x_t - x_{N-1-t}
//   V of N:  with o = (2t+1) pi / 4N, A = U(x_t cos o + x_{N-1-t} sin o),
//            B = U((-1)^t (x_t sin o - x_{N-1-t} cos o)), both of N/2:
//            V_0 = A_0, V_{2k-1} = A_k + B_{N/2-k}, V_{2k} = A_k - B_{N/2-k}, V_{N-1} = B_0
//
// (Plonka & Tasche 2005, whose factors are all orthogonal up to scale: rounding stays at that of one sum.)
// The scale of the orthonormal transform is folded into the constants: every path from input to output has
// one place that multiplies by `Scale`.

// Nothing to fold in.
struct Unscaled {
  static constexpr double kOfSums = 1, kOfMean = 1;
};

// c_k and c_0 of the orthonormal transform of T frames.
template <int T>
struct Orthonormal {
  static constexpr double kOfSums = root_of(2.0 / T), kOfMean = root_of(1.0 / T);
};

template <int N>
struct CosineMatrix {
  float values[N][N] = {};
  constexpr explicit CosineMatrix(double scale) {
    for (int k = 0; k < N; ++k) {
      for (int t = 0; t < N; ++t) {
        values[k][t] = static_cast<float>(scale * cos_of((2 * t + 1) * (2 * k + 1), 4 * N));
      }
    }
  }
};

template <int N>
struct Rotations {
  float cosines[N / 2] = {}, sines[N / 2] = {};
  constexpr explicit Rotations(double scale) {
    for (int t = 0; t < N / 2; ++t) {
      cosines[t] = static_cast<float>(scale * cos_of(2 * t + 1, 4 * N));
      sines[t] = static_cast<float>(scale * cos_of(2 * N - 2 * t - 1, 4 * N));
    }
  }
};

constexpr int kLargestProduct = 2;  // from here on V by its factors takes fewer operations than its matrix

template <int N, int kStride, typename Scale>
inline __attribute__((always_inline)) void cosines_4(Vec* out, const Vec* in);

// out[k kStride] = Scale U_k
template <int N, int kStride, typename Scale>
inline __attribute__((always_inline)) void cosines_2(Vec* out, const Vec* in) {
  if constexpr (N == 1) {
    out[0] = Scale::kOfMean == 1 ? in[0] : mul(in[0], set1(static_cast<float>(Scale::kOfMean)));
  } else {
    Vec even[N / 2], odd[N / 2];
#pragma GCC unroll 32
    for (int t = 0; t < N / 2; ++t) {
      even[t] = add(in[t], in[N - 1 - t]);
      odd[t] = sub(in[t], in[N - 1 - t]);
    }
    cosines_2<N / 2, 2 * kStride, Scale>(out, even);
    cosines_4<N / 2, 2 * kStride, Scale>(out + kStride, odd);
  }
}

template <int N, int kStride, typename Scale>
inline __attribute__((always_inline)) void multiply_cosines_4(Vec* out, const Vec* in) {
  static constexpr CosineMatrix<N> kMatrix(Scale::kOfSums);
#pragma GCC unroll 8
  for (int k = 0; k < N; ++k) {
    Vec sum = mul(in[0], set1(kMatrix.values[k][0]));
#pragma GCC unroll 8
    for (int t = 1; t < N; ++t) sum = fma(in[t], set1(kMatrix.values[k][t]), sum);
    out[k * kStride] = sum;
  }
}

// out[k kStride] = Scale V_k. The matrix is symmetric, so this serves both directions.
template <int N, int kStride, typename Scale>
inline __attribute__((always_inline)) void cosines_4(Vec* out, const Vec* in) {
  if constexpr (N <= kLargestProduct) {
    multiply_cosines_4<N, kStride, Scale>(out, in);
  } else {
    static constexpr Rotations<N> kTurn(Scale::kOfSums);
    constexpr int kHalf = N / 2;
    Vec a[kHalf], b[kHalf], sum_a[kHalf], sum_b[kHalf];
#pragma GCC unroll 16
    for (int t = 0; t < kHalf; ++t) {
      const Vec x = in[t], y = in[N - 1 - t];
      const float c = kTurn.cosines[t], s = kTurn.sines[t];
      a[t] = fma(x, set1(c), mul(y, set1(s)));
      b[t] = t % 2 == 0 ? fma(x, set1(s), mul(y, set1(-c))) : fma(y, set1(c), mul(x, set1(-s)));
    }
    cosines_2<kHalf, 1, Unscaled>(sum_a, a);
    cosines_2<kHalf, 1, Unscaled>(sum_b, b);
    out[0] = sum_a[0];
    out[(N - 1) * kStride] = sum_b[0];
#pragma GCC unroll 16
    for (int k = 1; k < kHalf; ++k) {
      out[(2 * k - 1) * kStride] = add(sum_a[k], sum_b[kHalf - k]);
      out[2 * k * kStride] = sub(sum_a[k], sum_b[kHalf - k]);
    }
  }
}

// The transpose of cosines_2: out[t] = sum_k c_k in[k kStride] cos(..).
template <int N, int kStride, typename Scale>
inline __attribute__((always_inline)) void cosines_3(Vec* out, const Vec* in) {
  if constexpr (N == 1) {
    out[0] = mul(in[0], set1(static_cast<float>(Scale::kOfMean)));
  } else {
    constexpr int kHalf = N / 2;
    Vec even[kHalf], odd_in[kHalf], odd[kHalf];
    cosines_3<kHalf, 2 * kStride, Scale>(even, in);
#pragma GCC unroll 32
    for (int k = 0; k < kHalf; ++k) odd_in[k] = in[(2 * k + 1) * kStride];
    cosines_4<kHalf, 1, Scale>(odd, odd_in);
#pragma GCC unroll 32
    for (int t = 0; t < kHalf; ++t) {
      out[t] = add(even[t], odd[t]);
      out[N - 1 - t] = sub(even[t], odd[t]);
    }
  }
}

// One vector of pixels; rows are in_pitch and out_pitch apart. A function of its own, without a loop around
// it: compilers would hoist addresses and constants out of that until the values have no registers left.
template <int T, bool kInverse, bool kStreams, typename In>
__attribute__((noinline)) void dct_column(float* out, int64_t out_pitch, const In* in, int64_t in_pitch) {
  Vec x[T], y[T];
#pragma GCC unroll 64
  for (int k = 0; k < T; ++k) x[k] = load(in + k * in_pitch);
  if constexpr (kInverse) {
    cosines_3<T, 1, Orthonormal<T>>(y, x);
  } else {
    cosines_2<T, 1, Orthonormal<T>>(y, x);
  }
#pragma GCC unroll 64
  for (int k = 0; k < T; ++k) put(out + k * out_pitch, y[k], kStreams);
}

// Through copies: of whole lines, since a part of one that is streamed costs as much as all of it, and parts
// of lines of many frames push each other out of L1; and with zeros in x for coefficients that are missing.
template <int T, bool kInverse, int kVecs, typename In>
inline void dct_copied(float* out, int64_t out_pitch, const In* in, int64_t in_pitch, int64_t keep,
                       bool streams, float* x, float* y) {
  const int64_t rows_in = kInverse ? keep : T, rows_out = kInverse ? T : keep;
  for (int64_t r = 0; r < rows_in; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c < kVecs; ++c) store(x + r * kLine + c * kWidth, load(in + r * in_pitch + c * kWidth));
  }
  for (int c = 0; c < kVecs; ++c) {
    dct_column<T, kInverse, false>(y + c * kWidth, kLine, x + c * kWidth, kLine);
  }
  for (int64_t r = 0; r < rows_out; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c < kVecs; ++c) {
      put(out + r * out_pitch + c * kWidth, load(y + r * kLine + c * kWidth), streams);
    }
  }
}

// `count` pixels, a multiple of kWidth, of kTile if `streams`; rows are in_pitch and out_pitch apart.
template <int T, bool kInverse, typename In>
void dct_unrolled(float* out, int64_t out_pitch, const In* in, int64_t in_pitch, int64_t count, int64_t keep,
                  bool streams) {
  int64_t p = 0;
  if (kWidth == kLine && keep == T) {
    for (; p < count && streams; p += kWidth) {
      prefetch_rows(in + p, in_pitch, T, kWidth);
      dct_column<T, kInverse, true>(out + p, out_pitch, in + p, in_pitch);
    }
    for (; p < count; p += kWidth) {
      dct_column<T, kInverse, false>(out + p, out_pitch, in + p, in_pitch);
    }
    return;
  }
  alignas(64) float x[T * kLine] = {}, y[T * kLine];
  for (; p + kLine <= count; p += kLine) {
    prefetch_rows(in + p, in_pitch, T, kLine);
    dct_copied<T, kInverse, kLine / kWidth>(out + p, out_pitch, in + p, in_pitch, keep, streams, x, y);
  }
  for (; p < count; p += kWidth) {
    dct_copied<T, kInverse, 1>(out + p, out_pitch, in + p, in_pitch, keep, false, x, y);
  }
}
