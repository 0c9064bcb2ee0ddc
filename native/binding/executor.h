// Threads for work off the event loop.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace vssl::binding {

/// A queue of jobs on threads of its own, started as they are needed. The destructor drops what waits and
/// joins what runs, which may take seconds: never on an event loop (see shared_off_loop).
class Executor {
 public:
  explicit Executor(int most_threads) : most_threads_(most_threads) {}
  ~Executor();
  /// `job` must not throw. Throws std::system_error when there is no thread for it.
  void run(std::function<void()> job);

 private:
  void work();

  const int most_threads_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  int idle_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

/// One for the process, never destroyed: what nobody waits for.
Executor& background();

/// A shared object that is destroyed on a thread of background(), whoever drops the last reference: event
/// loops, garbage collectors and worker threads that end must not wait for what still runs.
template <typename T, typename... Arguments>
std::shared_ptr<T> shared_off_loop(Arguments&&... arguments) {
  return std::shared_ptr<T>(new T(std::forward<Arguments>(arguments)...), [](T* object) {
    try {
      background().run([object] { delete object; });
    } catch (...) {  // no thread to be had
      delete object;
    }
  });
}

}  // namespace vssl::binding
