// The checks of cuda_kernels_test.cpp with the kernels running on the CPU (cuda_emulator.h), at small sizes,
// in each order of events that the emulation knows. Prints a line per failure; the last line is
// "N passed, N failed".
#include <cstdlib>
#include <cstring>

#include "testing.h"

#if defined(__x86_64__) && defined(__linux__)

// Before all else: it stands for the CUDA runtime.
#include "cuda_emulator.h"
#include "cuda_make_clips_checks.h"
#include "cuda_norm_checks.h"
#include "cuda_ntxent_checks.h"
#include "cuda_queue_checks.h"
#include "cuda_span_checks.h"
#include "cuda_topk_checks.h"
#include "cuda_update_checks.h"

int main(int count, char** arguments) {
  using namespace vssl;
  cuda::Checks checks;
  cuda::add_span_checks(checks);
  cuda::add_nt_xent_checks(checks);
  cuda::add_queue_checks(checks);
  cuda::add_topk_checks(checks);
  cuda::add_norm_checks(checks);
  cuda::add_update_checks(checks);
  cuda::add_clips_checks(checks);
  cuda::paths.push_back("hopper");
  // One of the twelve orders for each check in turn; all of them when asked.
  const bool all = count > 1 && std::strcmp(arguments[1], "--all-orders") == 0;
  for (std::size_t i = 0; i < checks.size(); ++i) {
    for (std::size_t order = all ? 0 : i % 12; order < (all ? 12 : i % 12 + 1); ++order) {
      emulator::settings.late_copies = order % 2 == 1;
      emulator::settings.late_products = order / 2 % 2 == 1;
      emulator::settings.backward = order / 4 == 1;
      emulator::settings.uneven = order / 4 == 2;
      checks[i]();
    }
  }
  return finish();
}

#else

int main() { return vssl::finish(1); }

#endif
