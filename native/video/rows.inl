// Bodies of RowOps, included once per instruction set by rows_*.cpp, which set VSSL_ROWS_NAMESPACE,
// VSSL_ROWS_LANES (floats in a register) and, where the CPU can look up sixteen floats among thirty-two at
// once, VSSL_ROWS_PERMUTE. No standard headers with inline functions here: a copy compiled for a newer CPU
// could be linked into code that runs on an older one.

namespace vssl::video {
namespace VSSL_ROWS_NAMESPACE {

static inline float clip01(float x) {
  x = x < 0.0f ? 0.0f : x;
  return x > 1.0f ? 1.0f : x;
}
static inline float larger(float a, float b) { return a > b ? a : b; }
static inline float smaller(float a, float b) { return a < b ? a : b; }

// Whole blocks of sixteen: the buffers reach as far, and a loop over a known count needs no cleanup code.
static void lerp_rows(float* __restrict out, const uint8_t* __restrict a, const uint8_t* __restrict b,
                      float w, int n) {
  for (int i = 0; i < n; i += 16) {
    for (int k = 0; k < 16; ++k) {
      const float x = static_cast<float>(a[i + k]), y = static_cast<float>(b[i + k]);
      out[i + k] = x + (y - x) * w;
    }
  }
}

static void resample_by_index(float* __restrict out, const float* __restrict row,
                              const int32_t* __restrict index, const float* __restrict weight, int n) {
  for (int i = 0; i < n; ++i) {
    const float a = row[index[i]], b = row[index[i] + 1];
    out[i] = a + (b - a) * weight[i];
  }
}

#ifndef VSSL_ROWS_PERMUTE
static void resample(float* out, const float* row, const int32_t* index, const float* weight, int, int n) {
  resample_by_index(out, row, index, weight, n);
}
#else
// Neighbouring outputs read neighbouring samples: two registers hold all that sixteen outputs need.
static void resample(float* __restrict out, const float* __restrict row, const int32_t* __restrict index,
                     const float* __restrict weight, int span, int n) {
  if (span > 30) {
    resample_by_index(out, row, index, weight, n);
    return;
  }
  const __m512i one = _mm512_set1_epi32(1);
  for (int i = 0; i < n; i += 16) {
    const int last = i + 15 < n ? i + 15 : n - 1;
    const int base = index[i] < index[last] ? index[i] : index[last];
    const auto mask = static_cast<__mmask16>((1u << (last - i + 1)) - 1);
    const __m512 lo = _mm512_loadu_ps(row + base), hi = _mm512_loadu_ps(row + base + 16);
    const __m512i at = _mm512_sub_epi32(_mm512_maskz_loadu_epi32(mask, index + i), _mm512_set1_epi32(base));
    const __m512 a = _mm512_permutex2var_ps(lo, at, hi);
    const __m512 b = _mm512_permutex2var_ps(lo, _mm512_add_epi32(at, one), hi);
    const __m512 w = _mm512_maskz_loadu_ps(mask, weight + i);
    _mm512_mask_storeu_ps(out + i, mask, _mm512_add_ps(a, _mm512_mul_ps(_mm512_sub_ps(b, a), w)));
  }
}
#endif

static void yuv_to_rgb(float* __restrict r, float* __restrict g, float* __restrict b,
                       const float* __restrict y, const float* __restrict u, const float* __restrict v,
                       const YuvCoefficients& c, int n) {
  const float ys = c.ys, yo = c.yo, rv = c.rv, gu = c.gu, gv = c.gv, bu = c.bu;
  for (int i = 0; i < n; ++i) {
    const float luma = y[i] * ys + yo, cb = u[i] - 128.0f, cr = v[i] - 128.0f;
    r[i] = clip01(luma + rv * cr);
    g[i] = clip01(luma + (gu * cb + gv * cr));
    b[i] = clip01(luma + bu * cb);
  }
}

static void affine(float* __restrict x, float scale, float offset, int n) {
  for (int i = 0; i < n; ++i) x[i] = clip01(x[i] * scale + offset);
}

static void contrast(float* __restrict x, float mean, float value, int n) {
  for (int i = 0; i < n; ++i) x[i] = clip01((x[i] - mean) * value + mean);
}

// V and the hue stay; each channel's distance from V grows by S' / S, where S' = min(1, S value).
static void saturation(float* __restrict r, float* __restrict g, float* __restrict b, float value, int n) {
  for (int i = 0; i < n; ++i) {
    const float v = larger(r[i], larger(g[i], b[i])), chroma = v - smaller(r[i], smaller(g[i], b[i]));
    const float k = smaller(value, v / larger(chroma, 1e-12f));  // 1 / S at most
    r[i] = clip01(v - (v - r[i]) * k);
    g[i] = clip01(v - (v - g[i]) * k);
    b[i] = clip01(v - (v - b[i]) * k);
  }
}

// v - chroma max(0, min(k, 4 - k, 1)) with k = (offset + h) mod 6: HSV to RGB without cases.
static inline float hue_channel(float v, float chroma, float h, float offset) {
  float k = h + offset;
  k = k >= 6.0f ? k - 6.0f : k;
  const float edge = smaller(smaller(k, 4.0f - k), 1.0f);
  return v - chroma * larger(edge, 0.0f);
}

static void hue(float* __restrict r, float* __restrict g, float* __restrict b, float sixths, int n) {
  for (int i = 0; i < n; ++i) {
    const float x = r[i], y = g[i], z = b[i];
    const float v = larger(x, larger(y, z)), chroma = v - smaller(x, smaller(y, z));
    const float inverse = 1.0f / larger(chroma, 1e-12f);
    const float from_r = (y - z) * inverse, from_g = (z - x) * inverse + 2.0f,
                from_b = (x - y) * inverse + 4.0f;
    float h = v == x ? from_r : (v == y ? from_g : from_b);
    h += sixths;
    h = h < 0.0f ? h + 6.0f : h;
    h = h < 0.0f ? h + 6.0f : h;
    h = h >= 6.0f ? h - 6.0f : h;
    h = h >= 6.0f ? h - 6.0f : h;
    r[i] = clip01(hue_channel(v, chroma, h, 5.0f));
    g[i] = clip01(hue_channel(v, chroma, h, 3.0f));
    b[i] = clip01(hue_channel(v, chroma, h, 1.0f));
  }
}

static void luma(float* __restrict r, const float* __restrict g, const float* __restrict b, int n) {
  for (int i = 0; i < n; ++i) r[i] = (0.299f * r[i] + 0.587f * g[i]) + 0.114f * b[i];
}

static void sum_lanes(float* __restrict lanes, const float* __restrict x, int n) {
  float acc[16];
  for (int k = 0; k < 16; ++k) acc[k] = lanes[k];
  int i = 0;
  for (; i + 16 <= n; i += 16) {
    for (int k = 0; k < 16; ++k) acc[k] += x[i + k];
  }
  for (int k = 0; i + k < n; ++k) acc[k] += x[i + k];
  for (int k = 0; k < 16; ++k) lanes[k] = acc[k];
}

// One register of floats that may lie anywhere.
typedef float Lanes __attribute__((vector_size(4 * VSSL_ROWS_LANES), aligned(4), may_alias));

// Four registers of outputs over all taps. `at(k)` gives the source of the k-th tap, -radius <= k <= radius.
template <typename At>
static inline void blur_block(float* __restrict out, const float* __restrict taps, int radius, const At& at) {
  constexpr int kL = VSSL_ROWS_LANES;
  const float* x = at(0);
  Lanes a = *reinterpret_cast<const Lanes*>(x) * taps[0];
  Lanes b = *reinterpret_cast<const Lanes*>(x + kL) * taps[0];
  Lanes c = *reinterpret_cast<const Lanes*>(x + 2 * kL) * taps[0];
  Lanes d = *reinterpret_cast<const Lanes*>(x + 3 * kL) * taps[0];
  for (int k = 1; k <= radius; ++k) {
    const float *lo = at(-k), *hi = at(k);
    const float t = taps[k];
    a += t * (*reinterpret_cast<const Lanes*>(lo) + *reinterpret_cast<const Lanes*>(hi));
    b += t * (*reinterpret_cast<const Lanes*>(lo + kL) + *reinterpret_cast<const Lanes*>(hi + kL));
    c += t * (*reinterpret_cast<const Lanes*>(lo + 2 * kL) + *reinterpret_cast<const Lanes*>(hi + 2 * kL));
    d += t * (*reinterpret_cast<const Lanes*>(lo + 3 * kL) + *reinterpret_cast<const Lanes*>(hi + 3 * kL));
  }
  *reinterpret_cast<Lanes*>(out) = a;
  *reinterpret_cast<Lanes*>(out + kL) = b;
  *reinterpret_cast<Lanes*>(out + 2 * kL) = c;
  *reinterpret_cast<Lanes*>(out + 3 * kL) = d;
}

template <typename At>
static inline void blur(float* __restrict out, const float* __restrict taps, int radius, int n,
                        const At& at) {
  constexpr int kBlock = 4 * VSSL_ROWS_LANES;
  int i = 0;
  for (; i + kBlock <= n; i += kBlock) {
    blur_block(out + i, taps, radius, [&](int k) { return at(k) + i; });
  }
  for (; i + VSSL_ROWS_LANES <= n; i += VSSL_ROWS_LANES) {
    Lanes a = *reinterpret_cast<const Lanes*>(at(0) + i) * taps[0];
    for (int k = 1; k <= radius; ++k) {
      a += taps[k] *
           (*reinterpret_cast<const Lanes*>(at(-k) + i) + *reinterpret_cast<const Lanes*>(at(k) + i));
    }
    *reinterpret_cast<Lanes*>(out + i) = a;
  }
  for (; i < n; ++i) {
    float a = at(0)[i] * taps[0];
    for (int k = 1; k <= radius; ++k) a += taps[k] * (at(-k)[i] + at(k)[i]);
    out[i] = a;
  }
}

static void blur_row(float* out, const float* x, const float* taps, int radius, int n) {
  blur(out, taps, radius, n, [x](int k) { return x + k; });
}

static void blur_column(float* out, const float* const* rows, const float* taps, int radius, int n) {
  blur(out, taps, radius, n, [rows, radius](int k) { return rows[radius + k]; });
}

static void solarize(float* __restrict x, float threshold, int n) {
  for (int i = 0; i < n; ++i) x[i] = x[i] >= threshold ? 1.0f - x[i] : x[i];
}

static void store(float* __restrict out, const float* __restrict r, const float* __restrict g,
                  const float* __restrict b, const float* __restrict scale, const float* __restrict offset,
                  int n) {
  const float s0 = scale[0], s1 = scale[1], s2 = scale[2], o0 = offset[0], o1 = offset[1], o2 = offset[2];
  for (int i = 0; i < n; ++i) {
    out[3 * i] = r[i] * s0 + o0;
    out[3 * i + 1] = g[i] * s1 + o1;
    out[3 * i + 2] = b[i] * s2 + o2;
  }
}

static void add(float* __restrict sum, const float* __restrict x, int n) {
  for (int i = 0; i < n; ++i) sum[i] += x[i];
}

static void track(int32_t* __restrict sum, int32_t* __restrict moved, int32_t* __restrict last,
                  const float* __restrict x, int n) {
  for (int i = 0; i < n; ++i) {
    const int32_t b = static_cast<int32_t>(x[i] * 255.0f + 0.5f), d = b - last[i];
    sum[i] += b;
    moved[i] += d < 0 ? -d : d;
    last[i] = b;
  }
}

static void lay(float* __restrict x, const float* __restrict y, const int32_t* __restrict keeps, int n) {
  for (int i = 0; i < n; ++i) x[i] = keeps[i] != 0 ? x[i] : y[i];
}

// `out` may be `a` itself.
static void subtract(float* out, const float* a, const float* __restrict b, float scale_b,
                     const float* __restrict scale, int n) {
#pragma GCC ivdep
  for (int i = 0; i < n; ++i) out[i] = (a[i] - b[i] * scale_b) * scale[i];
}

}  // namespace VSSL_ROWS_NAMESPACE
}  // namespace vssl::video

#define VSSL_ROWS_TABLE(isa)                                                                             \
  {                                                                                                      \
    isa, VSSL_ROWS_NAMESPACE::lerp_rows, VSSL_ROWS_NAMESPACE::resample, VSSL_ROWS_NAMESPACE::yuv_to_rgb, \
        VSSL_ROWS_NAMESPACE::affine, VSSL_ROWS_NAMESPACE::contrast, VSSL_ROWS_NAMESPACE::saturation,     \
        VSSL_ROWS_NAMESPACE::hue, VSSL_ROWS_NAMESPACE::luma, VSSL_ROWS_NAMESPACE::sum_lanes,             \
        VSSL_ROWS_NAMESPACE::blur_row, VSSL_ROWS_NAMESPACE::blur_column, VSSL_ROWS_NAMESPACE::solarize,  \
        VSSL_ROWS_NAMESPACE::store, VSSL_ROWS_NAMESPACE::add, VSSL_ROWS_NAMESPACE::track,                \
        VSSL_ROWS_NAMESPACE::lay, VSSL_ROWS_NAMESPACE::subtract                                          \
  }
