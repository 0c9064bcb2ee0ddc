// Difference of successive frames: arguments and schedule. Inner loop in spans.inl.
#include "kernels.h"
#include "span_schedule.h"
#include "spans.h"

namespace vssl {
namespace {

using spans::Columns;

template <typename In>
void subtract(float* out, const In* clip, int64_t frames, int64_t pixels, int threads,
              const spans::ClipKernels<In>& kernels) {
  expect_memory(out, clip);
  expect_range(frames, 2, most_beside(1), "frames");
  expect_range(pixels, 1, most_beside(frames), "pixels");
  expect_threads(threads);
  spans::over_strips(out, clip, pixels, frames, frames - 1, threads,
                     [&](const Columns& columns) { kernels.difference(out, clip, columns, frames); });
}

}  // namespace

void frame_difference(float* out, const float* clip, int64_t frames, int64_t pixels, int threads) {
  subtract(out, clip, frames, pixels, threads, spans::span_kernels().floats);
}

void frame_difference(float* out, const uint8_t* clip, int64_t frames, int64_t pixels, int threads) {
  subtract(out, clip, frames, pixels, threads, spans::span_kernels().bytes);
}

}  // namespace vssl
