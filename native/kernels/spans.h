// The per-ISA inner loops over long spans of memory (DCT along time, motion, frame difference, EMA, row
// normalisation), behind one table of functions; dct.cpp, ema.cpp and their like schedule them.
#pragma once

#include <algorithm>
#include <cstdint>

#include "isa.h"

namespace vssl::spans {

constexpr int64_t kMostFrames = 64;
constexpr int64_t kMostHalf = kMostFrames / 2;
// Pixels of each frame that a loop takes before it goes to the next frame's: 1 KB of floats. Runs of 64 cost
// a third more, since memory and prefetchers want neighbours; longer ones gained nothing for differences, and
// what motion copies would outgrow L1 sooner.
constexpr int64_t kTile = 256;
constexpr int64_t kLine = 16;       // floats of a cache line
constexpr double kNormEps = 1e-12;  // as F.normalize

/// Pixels [begin, end) of every frame; frames are `pixels` apart.
struct Columns {
  int64_t begin, end, pixels;
  bool stream;  ///< non-temporal stores: the output will not be read soon
};

/// Even and odd functions of time have cosines of even and odd k alone. So all products are taken over half
/// of the frames: even part s_t = x_t + x_{T-1-t} (the frame in the middle of an odd number once), odd part
/// d_t = x_t - x_{T-1-t}.
constexpr int64_t kRowStep = 4;  // rows that products take at once
struct HalfMatrix {
  int64_t rows = 0, depth = 0;
  float values[kMostHalf * kMostHalf];  ///< row-major, then rows of zeros up to a multiple of kRowStep

  void resize(int64_t new_rows, int64_t new_depth) {
    rows = new_rows;
    depth = new_depth;
    std::fill_n(values, (rows + kRowStep - 1) / kRowStep * kRowStep * depth, 0.0f);
  }
};

struct DctPlan {
  int64_t frames, keep;
  bool inverse;
  HalfMatrix even, odd;  ///< only where there is no transform of its own for `frames`
};

/// m = y - B A y, or B A y when it is `kept`, y the clip less its first frame (drop > 0), which changes
/// nothing but rounding.
struct MotionPlan {
  int64_t frames, drop;
  bool energy;
  bool kept;
  HalfMatrix even_analysis, odd_analysis, even_synthesis, odd_synthesis;
};

/// For which numbers of frames the transforms are unrolled.
constexpr bool has_own_transform(int64_t frames) {
  return frames == 4 || frames == 8 || frames == 16 || frames == 32 || frames == 64;
}

template <typename In>
struct ClipKernels {
  void (*dct)(float* out, const In* clip, const Columns& columns, const DctPlan& plan);
  void (*motion)(float* out, const In* clip, const Columns& columns, const MotionPlan& plan);
  void (*difference)(float* out, const In* clip, const Columns& columns, int64_t frames);
};

struct SpanKernels {
  ClipKernels<float> floats;
  ClipKernels<uint8_t> bytes;

  /// target = from + weight (to - from); `to_source`: from the target, else from the source.
  void (*blend)(float* target, const float* source, int64_t size, float weight, bool to_source);

  void (*normalize)(float* z, const float* x, int64_t rows, int64_t dim);
  void (*normalize_backward)(float* gradient, const float* grad_z, const float* x, int64_t rows, int64_t dim);
};

const SpanKernels& table_of(Isa isa);  // one that this build has
inline const SpanKernels& span_kernels() { return table_of(selected_isa()); }

}  // namespace vssl::spans
