// Included once per instruction set, inside a namespace. Plain loops over blocks of channels that the
// compiler turns into vector code; the block's accumulators stay in registers.

inline float load(const float* p) { return *p; }
inline float load(const uint16_t* p) {
  const uint32_t bits = static_cast<uint32_t>(*p) << 16;
  float value;
  __builtin_memcpy(&value, &bits, 4);
  return value;
}
inline void store(float* p, float value) { *p = value; }
inline void store(uint16_t* p, float value) {
  uint32_t bits;
  __builtin_memcpy(&bits, &value, 4);
  const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;  // to nearest, ties to even
  *p = static_cast<uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? 0x7fc0u : rounded);
}

constexpr int64_t kBlock = 64;  // channels whose accumulators are kept in registers
constexpr int64_t kTile = 16;   // rows that are visited before moving on to the next block of channels

// Calls block(first_row, end_row, first_channel, width) over the matrix; width is the constant kBlock where
// it fits.
template <typename F>
inline __attribute__((always_inline)) void for_blocks(int64_t rows, int64_t channels, F&& block) {
  for (int64_t r = 0; r < rows; r += kTile) {
    const int64_t end = r + kTile < rows ? r + kTile : rows;
    int64_t c = 0;
    for (; c + kBlock <= channels; c += kBlock) block(r, end, c, kBlock);
    if (c < channels) block(r, end, c, channels - c);
  }
}

template <typename T>
void stats(float* __restrict sum, float* __restrict squares, const T* __restrict x,
           const float* __restrict shift, int64_t rows, int64_t channels) {
  for_blocks(
      rows, channels, [=](int64_t r0, int64_t r1, int64_t c0, int64_t width) __attribute__((always_inline)) {
        float s[kBlock] = {}, q[kBlock] = {};
        for (int64_t r = r0; r < r1; ++r) {
          const T* row = x + r * channels + c0;
          for (int64_t c = 0; c < width; ++c) {
            const float v = load(row + c) - shift[c0 + c];
            s[c] += v;
            q[c] += v * v;
          }
        }
        for (int64_t c = 0; c < width; ++c) {
          sum[c0 + c] += s[c];
          squares[c0 + c] += q[c];
        }
      });
}

template <bool kRelu, bool kResidual, typename T>
void apply_rows(T* __restrict y, const T* __restrict x, const T* __restrict residual,
                const float* __restrict scale, const float* __restrict shift, int64_t rows,
                int64_t channels) {
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t o = r * channels;
    for (int64_t c = 0; c < channels; ++c) {
      float v = load(x + o + c) * scale[c] + shift[c];
      if (kResidual) v += load(residual + o + c);
      if (kRelu) v = v < 0.0f ? 0.0f : v;  // keeps NaN
      store(y + o + c, v);
    }
  }
}

template <typename T>
void apply(T* __restrict y, const T* __restrict x, const T* __restrict residual,
           const float* __restrict scale, const float* __restrict shift, int64_t rows, int64_t channels,
           bool relu) {
  if (relu && residual)
    apply_rows<true, true>(y, x, residual, scale, shift, rows, channels);
  else if (relu)
    apply_rows<true, false>(y, x, residual, scale, shift, rows, channels);
  else if (residual)
    apply_rows<false, true>(y, x, residual, scale, shift, rows, channels);
  else
    apply_rows<false, false>(y, x, residual, scale, shift, rows, channels);
}

template <bool kRelu, typename T>
void grad_sums_rows(float* __restrict sum, float* __restrict dot, const T* __restrict gy,
                    const T* __restrict y, const T* __restrict x, const float* __restrict mean, int64_t rows,
                    int64_t channels) {
  for_blocks(
      rows, channels, [=](int64_t r0, int64_t r1, int64_t c0, int64_t width) __attribute__((always_inline)) {
        float s[kBlock] = {}, d[kBlock] = {};
        for (int64_t r = r0; r < r1; ++r) {
          const int64_t o = r * channels + c0;
          for (int64_t c = 0; c < width; ++c) {
            float g = load(gy + o + c);
            if (kRelu) g = load(y + o + c) > 0.0f ? g : 0.0f;
            s[c] += g;
            d[c] += g * (load(x + o + c) - mean[c0 + c]);
          }
        }
        for (int64_t c = 0; c < width; ++c) {
          sum[c0 + c] += s[c];
          dot[c0 + c] += d[c];
        }
      });
}

template <typename T>
void grad_sums(float* __restrict sum, float* __restrict dot, const T* __restrict gy, const T* __restrict y,
               const T* __restrict x, const float* __restrict mean, int64_t rows, int64_t channels,
               bool relu) {
  if (relu)
    grad_sums_rows<true>(sum, dot, gy, y, x, mean, rows, channels);
  else
    grad_sums_rows<false>(sum, dot, gy, y, x, mean, rows, channels);
}

template <bool kRelu, bool kResidual, typename T>
void grad_apply_rows(T* __restrict gx, T* __restrict gresidual, const T* __restrict gy, const T* __restrict y,
                     const T* __restrict x, const float* __restrict a, const float* __restrict b,
                     const float* __restrict k, const float* __restrict mean, int64_t rows,
                     int64_t channels) {
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t o = r * channels;
    for (int64_t c = 0; c < channels; ++c) {
      float g = load(gy + o + c);
      if (kRelu) g = load(y + o + c) > 0.0f ? g : 0.0f;
      store(gx + o + c, a[c] * g + (b[c] * (load(x + o + c) - mean[c]) + k[c]));
      if (kResidual) store(gresidual + o + c, g);
    }
  }
}

template <typename T>
void grad_apply(T* __restrict gx, T* __restrict gresidual, const T* __restrict gy, const T* __restrict y,
                const T* __restrict x, const float* __restrict a, const float* __restrict b,
                const float* __restrict k, const float* __restrict mean, int64_t rows, int64_t channels,
                bool relu) {
  if (relu && gresidual)
    grad_apply_rows<true, true>(gx, gresidual, gy, y, x, a, b, k, mean, rows, channels);
  else if (relu)
    grad_apply_rows<true, false>(gx, gresidual, gy, y, x, a, b, k, mean, rows, channels);
  else if (gresidual)
    grad_apply_rows<false, true>(gx, gresidual, gy, y, x, a, b, k, mean, rows, channels);
  else
    grad_apply_rows<false, false>(gx, gresidual, gy, y, x, a, b, k, mean, rows, channels);
}

template <typename T>
constexpr NormKernels<T> table() {
  return {&stats<T>, &apply<T>, &grad_sums<T>, &grad_apply<T>};
}
