#include "executor.h"

#include <system_error>

#include "../common/ending.h"

namespace vssl::binding {

namespace {

constexpr int kMostBackground = 64;

}  // namespace

Executor& background() {
  static Executor* const instance = new Executor(kMostBackground);
  return *instance;
}

Executor::~Executor() {
  std::deque<std::function<void()>> dropped;  // destroyed outside the lock: jobs own objects
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
    dropped.swap(jobs_);
  }
  wake_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void Executor::run(std::function<void()> job) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto waiting = static_cast<int>(jobs_.size());
  if (idle_ <= waiting && static_cast<int>(threads_.size()) < most_threads_) {
    try {
      threads_.emplace_back([this] { work(); });
    } catch (const std::system_error&) {
      if (threads_.empty()) throw;  // else those there are do it
    }
  }
  jobs_.push_back(std::move(job));
  wake_.notify_one();
}

void Executor::work() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    ++idle_;
    wake_.wait(lock, [&] { return stopping_ || !jobs_.empty(); });
    --idle_;
    if (stopping_) return;
    std::function<void()> job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    {
      const ending::Work work;
      job();
      job = nullptr;  // what it owned goes while the process is known to wait
    }
    lock.lock();
  }
}

}  // namespace vssl::binding
