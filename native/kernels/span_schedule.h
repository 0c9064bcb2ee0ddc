// How the work of a span kernel is cut among threads, and when its output bypasses the caches.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>

#include "../common/error.h"
#include "parallel.h"
#include "spans.h"

namespace vssl::spans {

/// What is written is streamed past the caches when it would fill more than 1 / kCacheShare of the last one.
constexpr int64_t kCacheShare = 16;
bool outgrows_cache(int64_t bytes);

/// No more threads than `asked` (0: physical cores), and than so much memory traffic keeps busy.
int useful_threads(int asked, double bytes);

/// Of `pixels` with `rows` values to read and write each, those of one ticket.
int64_t columns_per_ticket(int64_t pixels, int64_t rows, int threads);

/// Calls work(columns) for strips that together are all pixels, cut where lines of the first row of `out`
/// begin, on at most `threads` threads.
template <typename Work>
void over_strips(const float* out, int64_t pixels, int64_t rows, bool streams, int threads,
                 const Work& work) {
  constexpr int64_t kLine = 64 / sizeof(float);
  const int64_t past = static_cast<int64_t>(reinterpret_cast<uintptr_t>(out) / sizeof(float)) % kLine;
  const int64_t head = (kLine - past) % kLine;
  const int64_t width = columns_per_ticket(pixels, rows, threads);
  Phase phase;
  phase.reset((std::max<int64_t>(pixels - head, 1) + width - 1) / width);
  run_team(threads, [&] {
    phase.run([&](int64_t ticket) {
      const int64_t begin = ticket == 0 ? 0 : head + ticket * width;
      work(Columns{begin, std::min(pixels, head + (ticket + 1) * width), pixels, streams});
    });
  });
}

inline void expect_range(int64_t value, int64_t least, int64_t most, const char* name) {
  if (value < least || value > most) {
    throw Error(kInvalidArgument, "expected " + std::to_string(least) + ".." + std::to_string(most) +
                                      " for " + name + " but received " + std::to_string(value));
  }
}

inline void expect_memory(const void* out, const void* in) {
  if (out == nullptr || in == nullptr) throw Error(kInvalidArgument, "expected memory but received null");
}

inline void expect_threads(int threads) {
  expect_range(threads, 0, std::numeric_limits<int>::max(), "threads");
}

/// Most pixels or rows that keep every index in range beside up to `other` of another size.
inline int64_t most_beside(int64_t other) { return std::numeric_limits<int64_t>::max() / 4096 / other; }

}  // namespace vssl::spans
