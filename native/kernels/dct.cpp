// DCT along time: arguments, coefficients, schedule. Equations in kernels.h, inner loops in dct_unrolled.inl
// and dct_any.inl.
#include "cosines.h"
#include "kernels.h"
#include "span_schedule.h"
#include "spans.h"

namespace vssl {
namespace {

using spans::Columns;
using spans::DctPlan;
using spans::HalfMatrix;

// The even k (first = 0) or odd k (first = 1) below plan.keep, over the first half of the frames.
void fill(HalfMatrix& matrix, const DctPlan& plan, int64_t first, const TemporalBasis& basis) {
  const int64_t times = (plan.frames + 1 - first) / 2, coefficients = (plan.keep + 1 - first) / 2;
  matrix.resize(plan.inverse ? times : coefficients, plan.inverse ? coefficients : times);
  for (int64_t r = 0; r < matrix.rows; ++r) {
    for (int64_t j = 0; j < matrix.depth; ++j) {
      const int64_t t = plan.inverse ? r : j, k = 2 * (plan.inverse ? j : r) + first;
      matrix.values[r * matrix.depth + j] = static_cast<float>(basis.scale(k) * basis.cosine(t, k));
    }
  }
}

template <typename In>
void transform(float* out, const In* clip, int64_t frames, int64_t pixels, const DctOptions& options,
               const spans::ClipKernels<In>& kernels) {
  expect_memory(out, clip);
  expect_range(frames, 1, spans::kMostFrames, "frames");
  expect_range(options.keep, 0, frames, "keep");
  expect_range(pixels, 1, most_beside(frames), "pixels");
  expect_threads(options.threads);
  DctPlan plan;
  plan.frames = frames;
  plan.keep = options.keep > 0 ? options.keep : frames;
  plan.inverse = options.inverse;
  if (!spans::has_own_transform(frames)) {
    const TemporalBasis basis(frames);
    fill(plan.even, plan, 0, basis);
    fill(plan.odd, plan, 1, basis);
  }
  const int64_t rows_in = plan.inverse ? plan.keep : frames, rows_out = plan.inverse ? frames : plan.keep;
  spans::over_strips(out, clip, pixels, rows_in, rows_out, options.threads,
                     [&](const Columns& columns) { kernels.dct(out, clip, columns, plan); });
}

}  // namespace

void dct(float* out, const float* clip, int64_t frames, int64_t pixels, const DctOptions& options) {
  transform(out, clip, frames, pixels, options, spans::span_kernels().floats);
}

void dct(float* out, const uint8_t* clip, int64_t frames, int64_t pixels, const DctOptions& options) {
  transform(out, clip, frames, pixels, options, spans::span_kernels().bytes);
}

}  // namespace vssl
