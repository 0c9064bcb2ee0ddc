// Where a sleeping thread wakes up.
//
// Guests of KVM take an idle virtual CPU for one that was taken away from them, so their scheduler tends to
// wake a thread on the CPU of whoever wakes it, where it waits for some milliseconds until it is moved. A
// call that is over before then has had one thread only.
#pragma once

#ifdef __linux__
#include <pthread.h>
#include <sched.h>
#endif

namespace vssl {

/// Of the thread that constructs it. Does nothing where the system offers nothing.
class Placement {
 public:
  /// By another thread, while this one sleeps and before it is woken: it will wake on another CPU than the
  /// caller's, if it may run on any other.
  void away_from_caller();

  /// By the thread itself, once it is awake: it may run again wherever it might before.
  void restore();

#ifdef __linux__
 private:
  const pthread_t thread_ = pthread_self();
  cpu_set_t before_;
  bool moved_ = false;
#endif
};

}  // namespace vssl
