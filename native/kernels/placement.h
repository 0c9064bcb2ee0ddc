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
  /// The CPU that the calling thread runs on; negative where that is not known.
  static int here();

  /// The thread leaves this CPU, or wakes on another one, if it may run on any other. By the thread itself,
  /// or by another one while it sleeps.
  void away_from(int cpu);

  /// By the thread itself, once it runs: it may run again wherever it might before.
  void restore();

#ifdef __linux__
 private:
  const pthread_t thread_ = pthread_self();
  cpu_set_t before_;
  bool moved_ = false;
#endif
};

}  // namespace vssl
