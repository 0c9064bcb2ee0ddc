// Motion: a clip without its slowest changes, over a vector type. Included after dct_any.inl, under the same
// rules.

struct MotionScratch {
  alignas(64) float y[kMostFrames][kTile];
  Halves h;
};

// y = the clip less its first frame, whose own change is none. With nothing to drop, the clip itself.
// mean = that of y.
template <int kVecs, typename In>
inline void load_changes(MotionScratch& s, Vec (&mean)[kVecs], const In* in, int64_t in_pitch,
                         const MotionPlan& plan) {
  Vec first[kVecs];
#pragma GCC unroll 16
  for (int c = 0; c < kVecs; ++c) {
    first[c] = plan.drop == 0 ? zero() : load(in + c * kWidth);
    mean[c] = zero();
  }
  for (int64_t t = 0; t < plan.frames; ++t) {
#pragma GCC unroll 16
    for (int c = 0; c < kVecs; ++c) {
      const Vec change = sub(load(in + t * in_pitch + c * kWidth), first[c]);
      store(s.y[t] + c * kWidth, change);
      mean[c] = add(mean[c], change);
    }
  }
#pragma GCC unroll 16
  for (int c = 0; c < kVecs; ++c) mean[c] = mul(mean[c], set1(1.0f / static_cast<float>(plan.frames)));
}

// Leaves the even and odd parts of B A y in h.even and h.odd.
void project_changes(MotionScratch& s, int64_t n, const MotionPlan& plan) {
  const int64_t frames = plan.frames, half = frames / 2;
  for (int64_t t = 0; t < half; ++t) {
    for (int64_t v = 0; v < n; v += kWidth) {
      const Vec a = load(s.y[t] + v), b = load(s.y[frames - 1 - t] + v);
      store(s.h.even.values[t] + v, add(a, b));
      store(s.h.odd.values[t] + v, sub(a, b));
    }
  }
  for (int64_t v = 0; frames % 2 != 0 && v < n; v += kWidth) {
    store(s.h.even.values[half] + v, load(s.y[half] + v));
  }
  multiply(s.h.even_out, plan.even_analysis, s.h.even, n);
  multiply(s.h.odd_out, plan.odd_analysis, s.h.odd, n);
  multiply(s.h.even, plan.even_synthesis, s.h.even_out, n);
  multiply(s.h.odd, plan.odd_synthesis, s.h.odd_out, n);
}

// y = the motion, from what project_changes() left.
void combine_changes(MotionScratch& s, int64_t n, const MotionPlan& plan) {
  for (int64_t t = 0; t < plan.frames; ++t) {
    const int64_t mirrored = plan.frames - 1 - t;
    for (int64_t v = 0; v < n; v += kWidth) {
      Vec projected = load(s.h.even.values[t < mirrored ? t : mirrored] + v);
      if (t < mirrored) projected = add(projected, load(s.h.odd.values[t] + v));
      if (t > mirrored) projected = sub(projected, load(s.h.odd.values[mirrored] + v));
      store(s.y[t] + v, plan.kept ? projected : sub(load(s.y[t] + v), projected));
    }
  }
}

// Writes y less `offset`, or its energy.
template <int kVecs>
inline void put_motion(float* out, int64_t out_pitch, const MotionScratch& s, const Vec (&offset)[kVecs],
                       const MotionPlan& plan, bool streams) {
  Vec energy[kVecs];
#pragma GCC unroll 16
  for (int c = 0; c < kVecs; ++c) energy[c] = zero();
  for (int64_t t = 0; t < plan.frames; ++t) {
#pragma GCC unroll 16
    for (int c = 0; c < kVecs; ++c) {
      const Vec m = sub(load(s.y[t] + c * kWidth), offset[c]);
      if (plan.energy) {
        energy[c] = fma(m, m, energy[c]);
      } else {
        put(out + t * out_pitch + c * kWidth, m, streams);
      }
    }
  }
  if (!plan.energy) return;
#pragma GCC unroll 16
  for (int c = 0; c < kVecs; ++c) put(out + c * kWidth, energy[c], streams);
}

// kVecs vectors of pixels.
template <int kVecs, typename In>
void motion_tile(float* out, int64_t out_pitch, const In* in, int64_t in_pitch, const MotionPlan& plan,
                 bool streams, MotionScratch& s) {
  Vec mean[kVecs];
  prefetch_rows(in, in_pitch, plan.frames, kVecs * kWidth);
  load_changes<kVecs>(s, mean, in, in_pitch, plan);
  if (plan.drop != 1) {
#pragma GCC unroll 16
    for (int c = 0; c < kVecs; ++c) mean[c] = zero();
  }
  if (plan.drop > 1) {
    project_changes(s, kVecs * kWidth, plan);
    combine_changes(s, kVecs * kWidth, plan);
  }
  put_motion<kVecs>(out, out_pitch, s, mean, plan, streams);
}

// One vector of pixels less its mean over time, in registers: what is fetched next waits for nothing.
template <int T, typename In>
inline void motion_column(float* out, int64_t out_pitch, const In* in, int64_t in_pitch, bool energy,
                          bool streams) {
  Vec y[T];
  const Vec first = load(in);
  Vec mean = zero();
#pragma GCC unroll 32
  for (int t = 0; t < T; ++t) {
    y[t] = sub(load(in + t * in_pitch), first);
    mean = add(mean, y[t]);
  }
  mean = mul(mean, set1(1.0f / T));
  Vec squares = zero();
#pragma GCC unroll 32
  for (int t = 0; t < T; ++t) {
    const Vec m = sub(y[t], mean);
    if (energy) {
      squares = fma(m, m, squares);
    } else {
      put(out + t * out_pitch, m, streams);
    }
  }
  if (energy) put(out, squares, streams);
}

// `count` pixels of which the mean alone is dropped, if so many frames fit the registers.
template <typename In>
bool motion_in_registers(float* out, int64_t out_pitch, const In* in, int64_t in_pitch, int64_t count,
                         const MotionPlan& plan, bool streams) {
  if (plan.drop != 1) return false;
  return with_frames_in_registers(plan.frames, [&](auto frames) {
    for (int64_t p = 0; p < count; p += kWidth) {
      motion_column<frames>(out + p, out_pitch, in + p, in_pitch, plan.energy, streams);
    }
  });
}
