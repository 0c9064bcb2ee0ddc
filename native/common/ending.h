// Native threads and the end of the process. exit() destroys the static objects of libtorch, FFmpeg and
// OpenCV on one thread, whatever the others do with them at that moment. So a thread that uses these
// libraries says when it is at work, and the exit can wait for it or leave without destroying anything.
#pragma once

#include <atomic>
#include <chrono>
#include <thread>

#include "error.h"

namespace vssl::ending {

inline std::atomic<bool> begun{false};  // the process ends: nothing new may begin
inline std::atomic<int> working{0};     // threads inside a Work

/// For the duration of one piece of work. Once the end has begun, the constructor parks its thread for good;
/// the caller must hold no lock.
class Work {
 public:
  Work() {
    working.fetch_add(1);
    if (!begun) return;
    working.fetch_sub(1);
    for (;;) std::this_thread::sleep_for(std::chrono::hours(24));
  }
  ~Work() { working.fetch_sub(1); }
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;
};

/// True where nobody waits any more for what this thread works at; null: somebody always does.
inline thread_local const std::atomic<bool>* dropped = nullptr;

/// Between the parts of long work: throws when the process ends, or the worker thread that asked for it has.
inline void check() {
  if (begun || (dropped != nullptr && *dropped))
    throw Error("ERR_VSSL_DISPOSED", "the thread or process that asked for this has ended");
}

/// Lets nothing new begin and waits for what runs. False: something still runs after `longest`.
inline bool begin_and_wait(std::chrono::milliseconds longest) {
  begun = true;
  const auto deadline = std::chrono::steady_clock::now() + longest;
  while (working.load() != 0) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace vssl::ending
