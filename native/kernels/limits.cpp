#include "limits.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <mutex>
#include <string>

#include "arguments.h"
#include "isa.h"
#include "limits_loops.h"
#include "parallel.h"

namespace vssl {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kRoundsPerLook = 4096;  // between two looks at the clock: some 10 us
constexpr int64_t kChunk = 64 * 1024;     // floats that a thread streams at once
constexpr double kLongestSeconds = 10;

volatile float sink;  // what the chains give must be wanted by someone

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

int team_size(int threads) {
  expect_threads(threads);
  return threads > 0 ? threads : physical_core_count();
}

const limits::LimitLoops& loops() { return limits::table_of(selected_isa()); }

// Each thread by its own clock: one that wakes late does not lower what the cores can do together.
double rate(float (*multiply_add)(int64_t), double flops_per_round, double seconds, int threads) {
  if (!(seconds > 0 && seconds <= kLongestSeconds)) {
    throw Error(kInvalidArgument, "expected seconds above 0, 10 at most");
  }
  const int team = team_size(threads);
  std::mutex mutex;
  double total = 0;
  run_team(team, [&] {
    const auto start = Clock::now();
    double rounds = 0, elapsed = 0;
    float last = 0;
    while (elapsed < seconds) {
      last += multiply_add(kRoundsPerLook);
      rounds += kRoundsPerLook;
      elapsed = seconds_since(start);
    }
    std::lock_guard<std::mutex> lock(mutex);
    sink = last;
    total += rounds * flops_per_round / elapsed;
  });
  return total;
}

// Calls work(begin, count) for chunks of [0, count) whose targets are aligned, but for a short first one,
// which `head` floats from the start make so.
template <typename Head, typename Work>
double stream_seconds(const float* target, int64_t count, int threads, Head&& head, Work&& work) {
  const int team = team_size(threads);
  const auto start = Clock::now();
  const int64_t misaligned = static_cast<int64_t>(reinterpret_cast<std::uintptr_t>(target) %
                                                  limits::kStreamAlignment / sizeof(float));
  constexpr int64_t kLine = limits::kStreamAlignment / static_cast<int64_t>(sizeof(float));
  const int64_t first = std::min(count, (kLine - misaligned) % kLine);
  for (int64_t i = 0; i < first; ++i) head(i);
  const int64_t chunks = (count - first + kChunk - 1) / kChunk;
  Phase phase;
  phase.reset(chunks);
  run_team(static_cast<int>(std::min<int64_t>(team, std::max<int64_t>(chunks, 1))), [&] {
    phase.run([&](int64_t chunk) {
      const int64_t begin = first + chunk * kChunk;
      work(begin, std::min(kChunk, count - begin));
    });
  });
  return seconds_since(start);
}

}  // namespace

double fma_rate(double seconds, int threads) {
  const limits::LimitLoops& chosen = loops();
  return rate(chosen.multiply_add, chosen.flops_per_round, seconds, threads);
}

double bf16_rate(double seconds, int threads) {
  const limits::Bf16Loop* loop = limits::bf16_loop();
  return loop == nullptr ? 0 : rate(loop->multiply_add, loop->flops_per_round, seconds, threads);
}

double read_seconds(const void* source, int64_t bytes, int threads) {
  constexpr int64_t kWord = sizeof(uint64_t), kWords = kChunk * sizeof(float) / kWord;
  const limits::LimitLoops& chosen = loops();
  const int team = team_size(threads);
  const auto start = Clock::now();
  // From the first whole word on, to the last.
  const auto* const words = reinterpret_cast<const uint64_t*>(
      (reinterpret_cast<std::uintptr_t>(source) + kWord - 1) / kWord * kWord);
  const int64_t count = std::max<int64_t>(0, bytes / kWord - 1);
  const int64_t chunks = (count + kWords - 1) / kWords;
  Phase phase;
  phase.reset(chunks);
  std::atomic<uint64_t> sum{0};
  run_team(static_cast<int>(std::min<int64_t>(team, std::max<int64_t>(chunks, 1))), [&] {
    phase.run([&](int64_t chunk) {
      const int64_t begin = chunk * kWords;
      sum += chosen.read(words + begin, std::min(kWords, count - begin));
    });
  });
  sink = static_cast<float>(sum.load());
  return seconds_since(start);
}

double copy_seconds(float* target, const float* source, int64_t count, int threads) {
  const limits::LimitLoops& chosen = loops();
  return stream_seconds(
      target, count, threads, [&](int64_t i) { target[i] = source[i]; },
      [&](int64_t begin, int64_t size) { chosen.copy(target + begin, source + begin, size); });
}

double widen_seconds(float* target, const uint8_t* source, int64_t count, int threads) {
  const limits::LimitLoops& chosen = loops();
  return stream_seconds(
      target, count, threads, [&](int64_t i) { target[i] = source[i]; },
      [&](int64_t begin, int64_t size) { chosen.widen(target + begin, source + begin, size); });
}

double triad_seconds(float* target, const float* a, const float* b, float scale, int64_t count, int threads) {
  const limits::LimitLoops& chosen = loops();
  return stream_seconds(
      target, count, threads, [&](int64_t i) { target[i] = scale * a[i] + (1 - scale) * b[i]; },
      [&](int64_t begin, int64_t size) {
        chosen.triad(target + begin, a + begin, b + begin, scale, size, target == a);
      });
}

}  // namespace vssl
