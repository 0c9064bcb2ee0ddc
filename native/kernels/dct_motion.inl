// Motion: a clip without its slowest changes, over a vector type. Included after dct_any.inl, under the same
// rules.

struct MotionScratch {
  alignas(64) float y[kMostFrames][kTile];
  alignas(64) float mean[kTile];
  Halves h;
};

// y = the clip less its first frame, whose own change is none. With nothing to drop, the clip itself.
template <typename In>
void load_changes(MotionScratch& s, const In* in, int64_t in_pitch, int64_t n, const MotionPlan& plan) {
  for (int64_t v = 0; v < n; v += kWidth) {
    const Vec first = plan.drop == 0 ? zero() : load(in + v);
    Vec sum = zero();
    for (int64_t t = 0; t < plan.frames; ++t) {
      const Vec change = sub(load(in + t * in_pitch + v), first);
      store(s.y[t] + v, change);
      sum = add(sum, change);
    }
    store(s.mean + v, mul(sum, set1(1.0f / static_cast<float>(plan.frames))));
  }
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

// Writes motion(t, v), the vector of frame t at pixel v of the tile, or its energy.
template <typename Motion>
inline void put_motion(float* out, int64_t out_pitch, int64_t n, const MotionPlan& plan, bool streams,
                       const Motion& motion) {
  for (int64_t v = 0; v < n; v += kWidth) {
    if (plan.energy) {
      Vec energy = zero();
      for (int64_t t = 0; t < plan.frames; ++t) {
        const Vec m = motion(t, v);
        energy = fma(m, m, energy);
      }
      put(out + v, energy, streams);
    } else {
      for (int64_t t = 0; t < plan.frames; ++t) put(out + t * out_pitch + v, motion(t, v), streams);
    }
  }
}

template <typename In>
void motion_tile(float* out, int64_t out_pitch, const In* in, int64_t in_pitch, int64_t n,
                 const MotionPlan& plan, bool streams, MotionScratch& s) {
  load_changes(s, in, in_pitch, n, plan);
  if (plan.drop == 0) {
    put_motion(out, out_pitch, n, plan, streams, [&](int64_t t, int64_t v) { return load(s.y[t] + v); });
    return;
  }
  if (plan.drop == 1) {
    put_motion(out, out_pitch, n, plan, streams,
               [&](int64_t t, int64_t v) { return sub(load(s.y[t] + v), load(s.mean + v)); });
    return;
  }
  project_changes(s, n, plan);
  put_motion(out, out_pitch, n, plan, streams, [&](int64_t t, int64_t v) {
    const int64_t mirrored = plan.frames - 1 - t;
    const Vec even = load(s.h.even.values[t < mirrored ? t : mirrored] + v);
    Vec projected = even;
    if (t < mirrored) projected = add(even, load(s.h.odd.values[t] + v));
    if (t > mirrored) projected = sub(even, load(s.h.odd.values[mirrored] + v));
    return plan.kept ? projected : sub(load(s.y[t] + v), projected);
  });
}
