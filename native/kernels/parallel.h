// A small persistent thread pool.
//
// The caller of run_team() always works itself and never waits for a helper that has not started, so calls
// from any number of threads make progress even when every pool thread is busy elsewhere.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

namespace vssl {

/// Physical cores this process may use, at least 1.
int physical_core_count();

/// No more threads than `asked` (0: physical cores), and than `work` keeps busy when less than `least` of it
/// is not worth waking a thread for.
int useful_threads(int asked, double work, double least);
constexpr double kFlopsPerThread = 2e6;  // of work counted in FLOPs

/// Runs `body` on the calling thread and on at most `threads - 1` pool threads at once; returns when all that
/// started have returned. Which and how many helpers join is not defined: bodies share work through Phase.
/// `body` must not throw.
void run_team(int threads, const std::function<void()>& body);

/// One step of a team's work: tickets 0..count-1, each handed out once, in order.
class Phase {
 public:
  void reset(int64_t count) {
    count_ = count;
    next_.store(0, std::memory_order_relaxed);
    done_.store(0, std::memory_order_relaxed);
  }

  /// The next ticket, or -1 when none is left.
  int64_t take() {
    if (next_.load(std::memory_order_relaxed) >= count_) return -1;
    const int64_t ticket = next_.fetch_add(1, std::memory_order_relaxed);
    return ticket < count_ ? ticket : -1;
  }

  void finish_one() { done_.fetch_add(1, std::memory_order_acq_rel); }

  /// Waits until every ticket is finished; what the finishers wrote is then visible.
  void wait() const;

  template <typename Work>
  void run(Work&& work) {
    for (int64_t ticket = take(); ticket >= 0; ticket = take()) {
      work(ticket);
      finish_one();
    }
    wait();
  }

 private:
  int64_t count_ = 0;
  alignas(64) std::atomic<int64_t> next_{0};
  alignas(64) std::atomic<int64_t> done_{0};
};

/// Spins briefly, then yields the core, until `counter` reaches `value`.
void wait_until_at_least(const std::atomic<int64_t>& counter, int64_t value);

}  // namespace vssl
