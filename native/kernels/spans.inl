// The loops of spans.h over the vectors of an isa_*.inl.

#include "dct_any.inl"
#include "dct_motion.inl"
#include "dct_unrolled.inl"

// Values before the next cache line, at most n.
inline int64_t unaligned_head(const float* out, int64_t n) {
  const int64_t past = static_cast<int64_t>(reinterpret_cast<uintptr_t>(out) / sizeof(float) % kLine);
  const int64_t head = past == 0 ? 0 : kLine - past;
  return head < n ? head : n;
}

// Calls block(out, out_pitch, in, in_pitch, count, streams) so that all columns are covered. `count` is a
// multiple of kWidth; what is streamed begins at a line and is a multiple of kTile. What does not fill a
// vector goes through a copy.
template <typename In, typename Block>
void over_columns(float* out, const In* in, const Columns& columns, int64_t rows_out, int64_t rows_in,
                  const Block& block) {
  const int64_t pixels = columns.pixels;
  const auto part = [&](int64_t p, int64_t n) {
    In padded_in[kMostFrames * kWidth] = {};
    float padded_out[kMostFrames * kWidth];
    for (int64_t r = 0; r < rows_in; ++r) {
      for (int64_t i = 0; i < n; ++i) padded_in[r * kWidth + i] = in[r * pixels + p + i];
    }
    block(padded_out, kWidth, padded_in, kWidth, kWidth, false);
    for (int64_t r = 0; r < rows_out; ++r) {
      for (int64_t i = 0; i < n; ++i) out[r * pixels + p + i] = padded_out[r * kWidth + i];
    }
  };
  const auto cover = [&](int64_t begin, int64_t end) {
    const int64_t whole = (end - begin) / kWidth * kWidth;
    if (whole > 0) block(out + begin, pixels, in + begin, pixels, whole, false);
    if (begin + whole < end) part(begin + whole, end - begin - whole);
  };
  // Rows that are not aligned alike cannot all be streamed to.
  if (!columns.stream || (rows_out > 1 && pixels % kLine != 0)) {
    cover(columns.begin, columns.end);
    return;
  }
  const int64_t begin = columns.begin + unaligned_head(out + columns.begin, columns.end - columns.begin);
  const int64_t end = begin + (columns.end - begin) / kTile * kTile;
  cover(columns.begin, begin);
  if (begin < end) block(out + begin, pixels, in + begin, pixels, end - begin, true);
  cover(end, columns.end);
  finish_streaming();
}

template <int T, typename In>
void dct_of(float* out, const In* clip, const Columns& columns, const DctPlan& plan) {
  if (plan.inverse) {
    over_columns(
        out, clip, columns, T, plan.keep,
        [&](float* to, int64_t out_pitch, const In* from, int64_t in_pitch, int64_t count, bool streams) {
          dct_unrolled<T, true>(to, out_pitch, from, in_pitch, count, plan.keep, streams);
        });
  } else {
    over_columns(
        out, clip, columns, plan.keep, T,
        [&](float* to, int64_t out_pitch, const In* from, int64_t in_pitch, int64_t count, bool streams) {
          dct_unrolled<T, false>(to, out_pitch, from, in_pitch, count, plan.keep, streams);
        });
  }
}

template <typename In>
void dct_of_any(float* out, const In* clip, const Columns& columns, const DctPlan& plan) {
  Halves halves;
  const auto block = [&](float* to, int64_t out_pitch, const In* from, int64_t in_pitch, int64_t count,
                         bool streams) {
    const auto tile = [&](auto vecs, int64_t p, bool streams_tile) {
      if (plan.inverse) {
        inverse_tile<vecs>(to + p, out_pitch, from + p, in_pitch, plan, streams_tile, halves);
      } else {
        dct_tile<vecs>(to + p, out_pitch, from + p, in_pitch, plan, streams_tile, halves);
      }
    };
    int64_t p = 0;
    for (; p + kTile <= count; p += kTile) tile(std::integral_constant<int, kTile / kWidth>(), p, streams);
    for (; p < count; p += kWidth) tile(std::integral_constant<int, 1>(), p, false);
  };
  over_columns(out, clip, columns, plan.inverse ? plan.frames : plan.keep,
               plan.inverse ? plan.keep : plan.frames, block);
}

template <typename In>
void dct(float* out, const In* clip, const Columns& columns, const DctPlan& plan) {
  switch (plan.frames) {
    case 4:
      return dct_of<4>(out, clip, columns, plan);
    case 8:
      return dct_of<8>(out, clip, columns, plan);
    case 16:
      return dct_of<16>(out, clip, columns, plan);
    case 32:
      return dct_of<32>(out, clip, columns, plan);
    case 64:
      return dct_of<64>(out, clip, columns, plan);
    default:
      return dct_of_any(out, clip, columns, plan);
  }
}

template <typename In>
void motion(float* out, const In* clip, const Columns& columns, const MotionPlan& plan) {
  MotionScratch scratch;
  const auto block = [&](float* to, int64_t out_pitch, const In* from, int64_t in_pitch, int64_t count,
                         bool streams) {
    if (motion_in_registers(to, out_pitch, from, in_pitch, count, plan, streams)) return;
    int64_t p = 0;
    for (; p + kTile <= count; p += kTile) {
      motion_tile<kTile / kWidth>(to + p, out_pitch, from + p, in_pitch, plan, streams, scratch);
    }
    for (; p < count; p += kWidth) {
      motion_tile<1>(to + p, out_pitch, from + p, in_pitch, plan, false, scratch);
    }
  };
  over_columns(out, clip, columns, plan.energy ? 1 : plan.frames, plan.frames, block);
}

template <typename In>
inline Vec load_part(const In* in, int64_t n) {
  In padded[kWidth] = {};
  for (int64_t i = 0; i < n; ++i) padded[i] = in[i];
  return load(padded);
}

inline void store_part(float* out, Vec value, int64_t n) {
  float padded[kWidth];
  store(padded, value);
  for (int64_t i = 0; i < n; ++i) out[i] = padded[i];
}

// out = later - earlier
template <typename In>
inline void subtract_row(float* out, const In* later, const In* earlier, int64_t n, bool streams) {
  const auto part = [&](int64_t p, int64_t count) {
    store_part(out + p, sub(load_part(later + p, count), load_part(earlier + p, count)), count);
  };
  int64_t p = 0;
  const int64_t head = streams ? unaligned_head(out, n) : 0;
  for (; p + kWidth <= head; p += kWidth) store(out + p, sub(load(later + p), load(earlier + p)));
  if (p < head) part(p, head - p);
  const int64_t lines = streams ? head + (n - head) / kLine * kLine : head;
  for (p = head; p < lines; p += kWidth) stream(out + p, sub(load(later + p), load(earlier + p)));
  for (; p + kWidth <= n; p += kWidth) store(out + p, sub(load(later + p), load(earlier + p)));
  if (p < n) part(p, n - p);
}

// One vector of pixels, in registers.
template <int T, typename In>
inline void difference_column(float* out, int64_t out_pitch, const In* in, int64_t in_pitch, bool streams) {
  Vec x[T];
#pragma GCC unroll 32
  for (int t = 0; t < T; ++t) x[t] = load(in + t * in_pitch);
#pragma GCC unroll 32
  for (int t = 0; t + 1 < T; ++t) put(out + t * out_pitch, sub(x[t + 1], x[t]), streams);
}

// False where that many frames do not fit; rows that are not aligned alike are better streamed to one by one.
template <typename In>
bool difference_in_registers(float* out, const In* clip, const Columns& columns, int64_t frames) {
  if (columns.stream && columns.pixels % kLine != 0) return false;
  return with_frames_in_registers(frames, [&](auto constant) {
    const auto block = [&](float* to, int64_t out_pitch, const In* from, int64_t in_pitch, int64_t count,
                           bool streams) {
      for (int64_t p = 0; p < count; p += kWidth) {
        difference_column<constant>(to + p, out_pitch, from + p, in_pitch, streams);
      }
    };
    over_columns(out, clip, columns, frames - 1, frames, block);
  });
}

template <typename In>
void difference(float* out, const In* clip, const Columns& columns, int64_t frames) {
  if (difference_in_registers(out, clip, columns, frames)) return;
  const int64_t pixels = columns.pixels;
  for (int64_t p = columns.begin; p < columns.end; p += kTile) {
    const int64_t n = columns.end - p < kTile ? columns.end - p : kTile;
    for (int64_t t = 0; t + 1 < frames; ++t) {
      const In* earlier = clip + t * pixels + p;
      subtract_row(out + t * pixels + p, earlier + pixels, earlier, n, columns.stream);
    }
  }
  if (columns.stream) finish_streaming();
}

void blend(float* target, const float* source, int64_t size, float weight, bool to_source) {
  const Vec w = set1(weight);
  const auto blended = [&](Vec t, Vec s) { return to_source ? fma(w, sub(s, t), t) : fma(w, sub(t, s), s); };
  const auto part = [&](int64_t p, int64_t n) {
    store_part(target + p, blended(load_part(target + p, n), load_part(source + p, n)), n);
  };
  int64_t p = 0;
  const int64_t head = unaligned_head(target, size) % kWidth;
  if (head > 0) part(0, head);
  for (p = head; p + kWidth <= size; p += kWidth)
    store(target + p, blended(load(target + p), load(source + p)));
  if (p < size) part(p, size - p);
}

double dot_row(const float* a, const float* b, int64_t dim) {
  double lanes[8] = {};
  int64_t k = 0;
  for (; k + 8 <= dim; k += 8) {
    for (int l = 0; l < 8; ++l) lanes[l] += static_cast<double>(a[k + l]) * b[k + l];
  }
  double sum =
      ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) + ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
  for (; k < dim; ++k) sum += static_cast<double>(a[k]) * b[k];
  return sum;
}

// max(|x|, eps), NaN for NaN.
inline double norm_of_row(const float* x, int64_t dim) {
  const double norm = __builtin_sqrt(dot_row(x, x, dim));
  return norm < kNormEps ? kNormEps : norm;
}

void normalize(float* z, const float* x, int64_t rows, int64_t dim) {
  for (int64_t i = 0; i < rows; ++i, z += dim, x += dim) {
    const double factor = 1 / norm_of_row(x, dim);
    for (int64_t k = 0; k < dim; ++k) z[k] = static_cast<float>(x[k] * factor);
  }
}

void normalize_backward(float* gradient, const float* grad_z, const float* x, int64_t rows, int64_t dim) {
  for (int64_t i = 0; i < rows; ++i, gradient += dim, grad_z += dim, x += dim) {
    const double norm = norm_of_row(x, dim), factor = 1 / norm;
    const double along = norm == kNormEps ? 0.0 : dot_row(grad_z, x, dim) * factor * factor;
    for (int64_t k = 0; k < dim; ++k) {
      gradient[k] = static_cast<float>((grad_z[k] - along * x[k]) * factor);
    }
  }
}

const SpanKernels kTable = {{dct<float>, motion<float>, difference<float>},
                            {dct<uint8_t>, motion<uint8_t>, difference<uint8_t>},
                            blend,
                            normalize,
                            normalize_backward};
