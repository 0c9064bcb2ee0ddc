// DCT along time and motion of any number of frames over a vector type. Included after dct_unrolled.inl,
// under the same rules; also needs kMicroVecs.

// Rows of kTile pixels, in L1.
struct Rows {
  alignas(64) float values[kMostHalf][kTile];
};

// out rows r..r+kRowStep-1 = M in
template <int kVecs>
inline void multiply_rows(Rows& out, const HalfMatrix& matrix, const Rows& in, int64_t r, int64_t v) {
  Vec sums[kRowStep][kVecs];
#pragma GCC unroll 8
  for (int i = 0; i < kRowStep; ++i) {
#pragma GCC unroll 4
    for (int c = 0; c < kVecs; ++c) sums[i][c] = zero();
  }
  for (int64_t j = 0; j < matrix.depth; ++j) {
#pragma GCC unroll 8
    for (int i = 0; i < kRowStep; ++i) {
      const Vec factor = set1(matrix.values[(r + i) * matrix.depth + j]);
#pragma GCC unroll 4
      for (int c = 0; c < kVecs; ++c) {
        sums[i][c] = fma(factor, load(in.values[j] + v + c * kWidth), sums[i][c]);
      }
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kRowStep; ++i) {
#pragma GCC unroll 4
    for (int c = 0; c < kVecs; ++c) store(out.values[r + i] + v + c * kWidth, sums[i][c]);
  }
}

// out = M in over the first n pixels of the tile, n a multiple of kWidth; rows of out up to the next multiple
// of kRowStep are overwritten too.
void multiply(Rows& out, const HalfMatrix& matrix, const Rows& in, int64_t n) {
  for (int64_t r = 0; r < matrix.rows; r += kRowStep) {
    int64_t v = 0;
    for (; v + kMicroVecs * kWidth <= n; v += kMicroVecs * kWidth) {
      multiply_rows<kMicroVecs>(out, matrix, in, r, v);
    }
    for (; v < n; v += kWidth) multiply_rows<1>(out, matrix, in, r, v);
  }
}

inline void put(float* out, Vec value, bool streams) {
  if (streams) {
    stream(out, value);
  } else {
    store(out, value);
  }
}

// Scratch of one thread's tile.
struct Halves {
  Rows even, odd, even_out, odd_out;
};

template <typename In>
void dct_tile(float* out, int64_t out_pitch, const In* in, int64_t in_pitch, int64_t n, const DctPlan& plan,
              bool streams, Halves& h) {
  const int64_t frames = plan.frames, half = frames / 2;
  for (int64_t t = 0; t < half; ++t) {
    for (int64_t v = 0; v < n; v += kWidth) {
      const Vec a = load(in + t * in_pitch + v), b = load(in + (frames - 1 - t) * in_pitch + v);
      store(h.even.values[t] + v, add(a, b));
      store(h.odd.values[t] + v, sub(a, b));
    }
  }
  for (int64_t v = 0; frames % 2 != 0 && v < n; v += kWidth) {
    store(h.even.values[half] + v, load(in + half * in_pitch + v));
  }
  multiply(h.even_out, plan.even, h.even, n);
  multiply(h.odd_out, plan.odd, h.odd, n);
  for (int64_t k = 0; k < plan.keep; ++k) {
    const float* row = (k % 2 == 0 ? h.even_out : h.odd_out).values[k / 2];
    for (int64_t v = 0; v < n; v += kWidth) put(out + k * out_pitch + v, load(row + v), streams);
  }
}

// Frames from their even and odd parts.
inline void put_halves(float* out, int64_t out_pitch, int64_t n, int64_t frames, bool streams,
                       const Halves& h) {
  const int64_t half = frames / 2;
  for (int64_t t = 0; t < half; ++t) {
    for (int64_t v = 0; v < n; v += kWidth) {
      const Vec even = load(h.even_out.values[t] + v), odd = load(h.odd_out.values[t] + v);
      put(out + t * out_pitch + v, add(even, odd), streams);
      put(out + (frames - 1 - t) * out_pitch + v, sub(even, odd), streams);
    }
  }
  for (int64_t v = 0; frames % 2 != 0 && v < n; v += kWidth) {
    put(out + half * out_pitch + v, load(h.even_out.values[half] + v), streams);
  }
}

template <typename In>
void inverse_tile(float* out, int64_t out_pitch, const In* in, int64_t in_pitch, int64_t n,
                  const DctPlan& plan, bool streams, Halves& h) {
  for (int64_t k = 0; k < plan.keep; ++k) {
    float* row = (k % 2 == 0 ? h.even : h.odd).values[k / 2];
    for (int64_t v = 0; v < n; v += kWidth) store(row + v, load(in + k * in_pitch + v));
  }
  multiply(h.even_out, plan.even, h.even, n);
  multiply(h.odd_out, plan.odd, h.odd, n);
  put_halves(out, out_pitch, n, plan.frames, streams, h);
}
