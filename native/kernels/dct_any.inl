// DCT along time of any number of frames over the vectors of an isa_*.inl.

constexpr int kDctVecs = kWidth == 16 ? 4 : 2;  // that a product keeps of each row

inline void put(float* out, Vec value, bool streams) {
  if (streams) {
    stream(out, value);
  } else {
    store(out, value);
  }
}

// The processor follows 16 frames on its own. Of more it fetches some too late; to the L2 cache, since frames
// that lie a multiple of 4 KB apart share few lines of L1.
constexpr int64_t kPrefetchedFrames = 32;
constexpr int64_t kPrefetchedBytes = 128;  // ahead

template <typename In>
inline void prefetch_rows(const In* in, int64_t in_pitch, int64_t frames, int64_t pixels) {
  if (frames < kPrefetchedFrames) return;
  for (int64_t t = 0; t < frames; ++t) {
    const char* ahead = reinterpret_cast<const char*>(in + t * in_pitch) + kPrefetchedBytes;
    for (int64_t line = 0; line < pixels * static_cast<int64_t>(sizeof(In)); line += 64) {
      __builtin_prefetch(ahead + line, 0, 2);
    }
  }
}

// Calls work(frames as a constant) where a line of each frame fits the registers and a vector is a whole
// line, as streaming wants; false elsewhere. All loads of a column can then stand before its stores: mixed
// with stores past the caches they take half as long again.
template <typename Work>
inline bool with_frames_in_registers(int64_t frames, Work&& work) {
  if (kWidth != kLine) return false;
  switch (frames) {
    case 4:
      work(std::integral_constant<int, 4>());
      return true;
    case 8:
      work(std::integral_constant<int, 8>());
      return true;
    case 16:
      work(std::integral_constant<int, 16>());
      return true;
    case 32:
      work(std::integral_constant<int, 32>());
      return true;
    default:
      return false;
  }
}

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
    for (; v + kDctVecs * kWidth <= n; v += kDctVecs * kWidth) {
      multiply_rows<kDctVecs>(out, matrix, in, r, v);
    }
    for (; v < n; v += kWidth) multiply_rows<1>(out, matrix, in, r, v);
  }
}

// Scratch of one thread's tile.
struct Halves {
  Rows even, odd, even_out, odd_out;
};

// kVecs vectors of pixels.
template <int kVecs, typename In>
void dct_tile(float* out, int64_t out_pitch, const In* in, int64_t in_pitch, const DctPlan& plan,
              bool streams, Halves& h) {
  const int64_t frames = plan.frames, half = frames / 2;
  prefetch_rows(in, in_pitch, frames, kVecs * kWidth);
  for (int64_t t = 0; t < half; ++t) {
#pragma GCC unroll 16
    for (int v = 0; v < kVecs * kWidth; v += kWidth) {
      const Vec a = load(in + t * in_pitch + v), b = load(in + (frames - 1 - t) * in_pitch + v);
      store(h.even.values[t] + v, add(a, b));
      store(h.odd.values[t] + v, sub(a, b));
    }
  }
#pragma GCC unroll 16
  for (int v = 0; v < kVecs * kWidth; v += kWidth) {
    if (frames % 2 != 0) store(h.even.values[half] + v, load(in + half * in_pitch + v));
  }
  multiply(h.even_out, plan.even, h.even, kVecs * kWidth);
  multiply(h.odd_out, plan.odd, h.odd, kVecs * kWidth);
  for (int64_t k = 0; k < plan.keep; ++k) {
    const float* row = (k % 2 == 0 ? h.even_out : h.odd_out).values[k / 2];
#pragma GCC unroll 16
    for (int v = 0; v < kVecs * kWidth; v += kWidth) put(out + k * out_pitch + v, load(row + v), streams);
  }
}

template <int kVecs, typename In>
void inverse_tile(float* out, int64_t out_pitch, const In* in, int64_t in_pitch, const DctPlan& plan,
                  bool streams, Halves& h) {
  prefetch_rows(in, in_pitch, plan.keep, kVecs * kWidth);
  for (int64_t k = 0; k < plan.keep; ++k) {
    float* row = (k % 2 == 0 ? h.even : h.odd).values[k / 2];
#pragma GCC unroll 16
    for (int v = 0; v < kVecs * kWidth; v += kWidth) store(row + v, load(in + k * in_pitch + v));
  }
  multiply(h.even_out, plan.even, h.even, kVecs * kWidth);
  multiply(h.odd_out, plan.odd, h.odd, kVecs * kWidth);
  for (int64_t t = 0; t < plan.frames; ++t) {
    const int64_t mirrored = plan.frames - 1 - t;
    const float* even = h.even_out.values[t < mirrored ? t : mirrored];
    const float* odd = h.odd_out.values[t < mirrored ? t : mirrored];
#pragma GCC unroll 16
    for (int v = 0; v < kVecs * kWidth; v += kWidth) {
      Vec sum = load(even + v);
      if (t < mirrored) sum = add(sum, load(odd + v));
      if (t > mirrored) sum = sub(sum, load(odd + v));
      put(out + t * out_pitch + v, sum, streams);
    }
  }
}
