#include "parallel.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <fstream>
#include <list>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

#include "placement.h"

namespace vssl {
namespace {

inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

constexpr int kSpins = 2000;  // before a wait inside a team gives the core away
constexpr int kMaxPoolThreads = 255;
// How long an idle helper looks for work before it sleeps: about what waking it costs.
constexpr std::chrono::microseconds kIdleSpin{50};

inline void pause(int spins) {
  if (spins < kSpins) {
    relax();
  } else {
    std::this_thread::yield();
  }
}

struct Team {
  const std::function<void()>* body;
  int wanted;                  // helpers that may still join; under the pool's mutex
  int cpu;                     // of the caller, when it called
  std::atomic<int> active{0};  // helpers inside body; a helper's last touch of the team
};

struct Helper {
  Placement placement;
  std::condition_variable wake;
  bool called = false;  // under the pool's mutex
};

class Pool {
 public:
  Pool() { asleep_.reserve(kMaxPoolThreads); }

  void run(int helpers, const std::function<void()>& body) {
    Team team{&body, helpers, Placement::here(), {0}};
    std::list<Team*>::iterator place;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      grow_to(helpers);
      place = teams_.insert(teams_.end(), &team);
      posted_.fetch_add(1, std::memory_order_relaxed);
      for (int k = 0; k < helpers && !asleep_.empty(); ++k) call_last_asleep(team.cpu);
    }
    body();
    {
      std::lock_guard<std::mutex> lock(mutex_);
      teams_.erase(place);  // helpers that have not started are no longer wanted
    }
    for (int spins = 0; team.active.load(std::memory_order_acquire) != 0; ++spins) pause(spins);
  }

 private:
  void grow_to(int helpers) {
    const int target = std::min(helpers, kMaxPoolThreads);
    try {
      for (; size_ < target; ++size_) std::thread([this] { serve(); }).detach();
    } catch (const std::system_error&) {
      // No more threads to be had: the caller does the work with those there are.
    }
  }

  void call_last_asleep(int callers_cpu) {
    Helper* const helper = asleep_.back();
    asleep_.pop_back();
    helper->placement.away_from(callers_cpu);
    helper->called = true;
    helper->wake.notify_one();
  }

  Team* find_team() {
    for (Team* team : teams_) {
      if (team->wanted > 0) return team;
    }
    return nullptr;
  }

  void serve() {
    Helper self;
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      Team* team = find_team();
      if (team == nullptr) {
        const uint64_t seen = posted_.load(std::memory_order_relaxed);
        lock.unlock();
        spin_while_unposted(seen);
        lock.lock();
        if (find_team() == nullptr) sleep(self, lock);
        continue;
      }
      --team->wanted;
      team->active.fetch_add(1, std::memory_order_relaxed);
      const std::function<void()>& body = *team->body;
      lock.unlock();
      if (team->cpu >= 0 && team->cpu == Placement::here()) {
        self.placement.away_from(team->cpu);
        self.placement.restore();
      }
      body();
      team->active.fetch_sub(1, std::memory_order_release);
      lock.lock();
    }
  }

  void sleep(Helper& self, std::unique_lock<std::mutex>& lock) {
    self.called = false;
    asleep_.push_back(&self);
    self.wake.wait(lock, [&] { return self.called; });
    lock.unlock();
    self.placement.restore();
    lock.lock();
  }

  void spin_while_unposted(uint64_t seen) const {
    const auto deadline = std::chrono::steady_clock::now() + kIdleSpin;
    do {
      for (int i = 0; i < 32; ++i) {
        if (posted_.load(std::memory_order_relaxed) != seen) return;
        relax();
      }
    } while (std::chrono::steady_clock::now() < deadline);
  }

  std::mutex mutex_;
  std::list<Team*> teams_;
  std::vector<Helper*> asleep_;
  std::atomic<uint64_t> posted_{0};
  int size_ = 0;
};

// Never destroyed: helpers sleep in it until the process ends, and joining them in a static destructor would
// deadlock hosts that exit while a call runs.
Pool& pool() {
  static Pool* const instance = new Pool;
  return *instance;
}

// The first sibling stands for its core. Unknown layouts count every logical CPU.
int count_physical_cores() {
  const int logical = std::max(1u, std::thread::hardware_concurrency());
  int cores = 0;
  for (int cpu = 0; cpu < 4096; ++cpu) {
    std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                       "/topology/thread_siblings_list");
    int first = -1;
    if (!(file >> first)) break;
    if (first == cpu) ++cores;
  }
  return cores > 0 ? std::min(cores, logical) : logical;
}

}  // namespace

int physical_core_count() {
  static const int cores = count_physical_cores();
  return cores;
}

int useful_threads(int asked, double work, double least) {
  return static_cast<int>(std::min<double>(asked > 0 ? asked : physical_core_count(), 1 + work / least));
}

void run_team(int threads, const std::function<void()>& body) {
  if (threads <= 1) {
    body();
  } else {
    pool().run(threads - 1, body);
  }
}

void wait_until_at_least(const std::atomic<int64_t>& counter, int64_t value) {
  for (int spins = 0; counter.load(std::memory_order_acquire) < value; ++spins) pause(spins);
}

void Phase::wait() const { wait_until_at_least(done_, count_); }

}  // namespace vssl
