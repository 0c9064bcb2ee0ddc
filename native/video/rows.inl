// Bodies of RowOps, included once per instruction set by rows_*.cpp, which set VSSL_ROWS_NAMESPACE and, where there
// is a faster way to move data, VSSL_ROWS_RESAMPLE. No standard headers with inline functions here: a copy compiled
// for a newer CPU could be linked into code that runs on an older one.

namespace vssl::video {
namespace VSSL_ROWS_NAMESPACE {

static inline float clip01(float x) {
  x = x < 0.0f ? 0.0f : x;
  return x > 1.0f ? 1.0f : x;
}
static inline float larger(float a, float b) { return a > b ? a : b; }
static inline float smaller(float a, float b) { return a < b ? a : b; }

static void lerp_rows(float* __restrict out, const uint8_t* __restrict a, const uint8_t* __restrict b, float w,
                      int n) {
  for (int i = 0; i < n; ++i) {
    const float x = static_cast<float>(a[i]), y = static_cast<float>(b[i]);
    out[i] = x + (y - x) * w;
  }
}

static void resample_by_index(float* __restrict out, const float* __restrict row, const int32_t* __restrict index,
                              const float* __restrict weight, int n) {
  for (int i = 0; i < n; ++i) {
    const float a = row[index[i]], b = row[index[i] + 1];
    out[i] = a + (b - a) * weight[i];
  }
}

#ifndef VSSL_ROWS_RESAMPLE
static void resample(float* out, const float* row, const int32_t* index, const float* weight, int, int n) {
  resample_by_index(out, row, index, weight, n);
}
#else
VSSL_ROWS_RESAMPLE
#endif

static void yuv_to_rgb(float* __restrict r, float* __restrict g, float* __restrict b, const float* __restrict y,
                       const float* __restrict u, const float* __restrict v, const YuvCoefficients& c, int n) {
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
    const float from_r = (y - z) * inverse, from_g = (z - x) * inverse + 2.0f, from_b = (x - y) * inverse + 4.0f;
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

static void blur_row(float* __restrict out, const float* __restrict x, const float* __restrict taps, int radius,
                     int n) {
  for (int i = 0; i < n; ++i) out[i] = taps[0] * x[i];
  int k = 1;
  for (; k + 1 <= radius; k += 2) {  // two taps a turn: half the traffic to `out`
    const float t = taps[k], u = taps[k + 1];
    const float *a = x - k, *b = x + k;
    for (int i = 0; i < n; ++i) out[i] = (out[i] + t * (a[i] + b[i])) + u * (a[i - 1] + b[i + 1]);
  }
  if (k <= radius) {
    const float t = taps[k];
    const float *a = x - k, *b = x + k;
    for (int i = 0; i < n; ++i) out[i] += t * (a[i] + b[i]);
  }
}

static void blur_column(float* __restrict out, const float* const* rows, const float* __restrict taps, int radius,
                        int n) {
  const float* __restrict centre = rows[radius];
  for (int i = 0; i < n; ++i) out[i] = taps[0] * centre[i];
  int k = 1;
  for (; k + 1 <= radius; k += 2) {
    const float t = taps[k], u = taps[k + 1];
    const float *a = rows[radius - k], *b = rows[radius + k], *c = rows[radius - k - 1], *d = rows[radius + k + 1];
    for (int i = 0; i < n; ++i) out[i] = (out[i] + t * (a[i] + b[i])) + u * (c[i] + d[i]);
  }
  if (k <= radius) {
    const float t = taps[k];
    const float *a = rows[radius - k], *b = rows[radius + k];
    for (int i = 0; i < n; ++i) out[i] += t * (a[i] + b[i]);
  }
}

static void solarize(float* __restrict x, float threshold, int n) {
  for (int i = 0; i < n; ++i) x[i] = x[i] >= threshold ? 1.0f - x[i] : x[i];
}

static void store(float* __restrict out, const float* __restrict r, const float* __restrict g,
                  const float* __restrict b, const float* __restrict scale, const float* __restrict offset, int n) {
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

// `out` may be `a` itself.
static void subtract(float* out, const float* a, const float* __restrict b, float scale_b,
                     const float* __restrict scale, int n) {
#pragma GCC ivdep
  for (int i = 0; i < n; ++i) out[i] = (a[i] - b[i] * scale_b) * scale[i];
}

}  // namespace VSSL_ROWS_NAMESPACE
}  // namespace vssl::video

#define VSSL_ROWS_TABLE(isa)                                                                          \
  {                                                                                                   \
    isa, VSSL_ROWS_NAMESPACE::lerp_rows, VSSL_ROWS_NAMESPACE::resample, VSSL_ROWS_NAMESPACE::yuv_to_rgb, \
        VSSL_ROWS_NAMESPACE::affine, VSSL_ROWS_NAMESPACE::contrast, VSSL_ROWS_NAMESPACE::saturation,  \
        VSSL_ROWS_NAMESPACE::hue, VSSL_ROWS_NAMESPACE::luma, VSSL_ROWS_NAMESPACE::sum_lanes,          \
        VSSL_ROWS_NAMESPACE::blur_row, VSSL_ROWS_NAMESPACE::blur_column, VSSL_ROWS_NAMESPACE::solarize, \
        VSSL_ROWS_NAMESPACE::store, VSSL_ROWS_NAMESPACE::add, VSSL_ROWS_NAMESPACE::subtract           \
  }
