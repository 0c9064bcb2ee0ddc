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
  spans::expect_memory(out, clip);
  spans::expect_range(frames, 2, spans::most_beside(1), "frames");
  spans::expect_range(pixels, 1, spans::most_beside(frames), "pixels");
  spans::expect_threads(threads);
  const int64_t written = (frames - 1) * pixels * static_cast<int64_t>(sizeof(float));
  const int64_t read = frames * pixels * static_cast<int64_t>(sizeof(In));
  spans::over_strips(out, pixels, 2 * frames, spans::outgrows_cache(written),
                     spans::useful_threads(threads, static_cast<double>(written + read)),
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
