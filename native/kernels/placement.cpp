#include "placement.h"

namespace vssl {

#ifdef __linux__

int Placement::here() { return sched_getcpu(); }

// Fails where the system does not allow it and on machines of more than CPU_SETSIZE CPUs: then nothing is
// changed.
void Placement::away_from(int cpu) {
  if (cpu < 0 || pthread_getaffinity_np(thread_, sizeof before_, &before_) != 0) return;
  if (!CPU_ISSET(cpu, &before_) || CPU_COUNT(&before_) < 2) return;
  cpu_set_t others = before_;
  CPU_CLR(cpu, &others);
  moved_ = pthread_setaffinity_np(thread_, sizeof others, &others) == 0;
}

void Placement::restore() {
  if (moved_) pthread_setaffinity_np(thread_, sizeof before_, &before_);
  moved_ = false;
}

#else

int Placement::here() { return -1; }
void Placement::away_from(int) {}
void Placement::restore() {}

#endif

}  // namespace vssl
