// Motion: arguments, coefficients, schedule. Equations in kernels.h, inner loops in dct_motion.inl.
#include "cosines.h"
#include "kernels.h"
#include "span_schedule.h"
#include "spans.h"

namespace vssl {
namespace {

using spans::Columns;
using spans::HalfMatrix;
using spans::MotionPlan;

// A: the cosines of the even k (first = 0) or odd k (first = 1) in [begin, end), over the first half of the
// frames; B: the same transposed, with both scales.
void fill(HalfMatrix& analysis, HalfMatrix& synthesis, int64_t frames, int64_t begin, int64_t end,
          int64_t first, const TemporalBasis& basis) {
  const int64_t times = (frames + 1 - first) / 2;
  const int64_t from = begin + (begin % 2 == first ? 0 : 1);
  const int64_t count = end > from ? (end - from + 1) / 2 : 0;
  analysis.resize(count, times);
  synthesis.resize(times, count);
  for (int64_t i = 0; i < count; ++i) {
    const int64_t k = from + 2 * i;
    const double square = basis.scale(k) * basis.scale(k);
    for (int64_t t = 0; t < times; ++t) {
      analysis.values[i * times + t] = static_cast<float>(basis.cosine(t, k));
      synthesis.values[t * count + i] = static_cast<float>(square * basis.cosine(t, k));
    }
  }
}

// The fewer coefficients are computed: those to take off, or those to keep.
void fill(MotionPlan& plan) {
  const TemporalBasis basis(plan.frames);
  plan.kept = 2 * plan.drop > plan.frames;
  const int64_t begin = plan.kept ? plan.drop : 0, end = plan.kept ? plan.frames : plan.drop;
  fill(plan.even_analysis, plan.even_synthesis, plan.frames, begin, end, 0, basis);
  fill(plan.odd_analysis, plan.odd_synthesis, plan.frames, begin, end, 1, basis);
}

template <typename In>
void keep_motion(float* out, const In* clip, int64_t frames, int64_t pixels, const DctMotionOptions& options,
                 const spans::ClipKernels<In>& kernels) {
  expect_memory(out, clip);
  expect_range(frames, 1, spans::kMostFrames, "frames");
  expect_range(options.drop_low, 0, frames, "drop_low");
  expect_range(pixels, 1, most_beside(frames), "pixels");
  expect_threads(options.threads);
  MotionPlan plan;
  plan.frames = frames;
  plan.drop = options.drop_low;
  plan.energy = options.output == MotionOutput::kEnergy;
  if (plan.drop > 1) fill(plan);
  spans::over_strips(out, clip, pixels, frames, plan.energy ? 1 : frames, options.threads,
                     [&](const Columns& columns) { kernels.motion(out, clip, columns, plan); });
}

}  // namespace

void dct_motion(float* out, const float* clip, int64_t frames, int64_t pixels,
                const DctMotionOptions& options) {
  keep_motion(out, clip, frames, pixels, options, spans::span_kernels().floats);
}

void dct_motion(float* out, const uint8_t* clip, int64_t frames, int64_t pixels,
                const DctMotionOptions& options) {
  keep_motion(out, clip, frames, pixels, options, spans::span_kernels().bytes);
}

}  // namespace vssl
