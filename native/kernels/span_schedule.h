// How the work of a span kernel is cut among threads, and when its output bypasses the caches.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>

#include "arguments.h"
#include "parallel.h"
#include "spans.h"

namespace vssl::spans {

/// What is written is streamed past the caches when it would fill more than 1 / kCacheShare of the last one.
constexpr int64_t kCacheShare = 16;
bool outgrows_cache(int64_t bytes);

constexpr double kBytesPerThread = 256 << 10;  // less is not worth waking a thread for

/// Of `pixels` with `rows` values to read and write each, those of one ticket.
int64_t columns_per_ticket(int64_t pixels, int64_t rows, int threads);

/// Calls work(columns) for strips that together are all pixels, cut where lines of the first row of `out`
/// begin, on no more threads than `asked` and than the memory traffic keeps busy. For each pixel `rows_in`
/// values are read and `rows_out` written.
template <typename In, typename Work>
void over_strips(const float* out, const In* /*in*/, int64_t pixels, int64_t rows_in, int64_t rows_out,
                 int asked, const Work& work) {
  const int64_t written = rows_out * pixels * static_cast<int64_t>(sizeof(float));
  const int64_t read = rows_in * pixels * static_cast<int64_t>(sizeof(In));
  const bool streams = outgrows_cache(written);
  const int threads = useful_threads(asked, static_cast<double>(written + read), kBytesPerThread);
  constexpr int64_t kLine = 64 / sizeof(float);
  const int64_t past = static_cast<int64_t>(reinterpret_cast<uintptr_t>(out) / sizeof(float)) % kLine;
  const int64_t head = (kLine - past) % kLine;
  const int64_t width = columns_per_ticket(pixels, rows_in + rows_out, threads);
  Phase phase;
  phase.reset((std::max<int64_t>(pixels - head, 1) + width - 1) / width);
  run_team(threads, [&] {
    phase.run([&](int64_t ticket) {
      const int64_t begin = ticket == 0 ? 0 : head + ticket * width;
      work(Columns{begin, std::min(pixels, head + (ticket + 1) * width), pixels, streams});
    });
  });
}

}  // namespace vssl::spans
