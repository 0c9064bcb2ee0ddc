// Tests of native/kernels/cuda on the device, on each path that it has, against the double-precision twins.
// Without CUDA or without a device every check counts as skipped. Prints a line per failure; the last line is
// "N passed, N failed" or "0 passed, 0 failed, N skipped".
#include <cstdio>
#include <cstdlib>

#ifdef VSSL_WITH_CUDA

#include "cuda_ntxent_checks.h"
#include "cuda_queue_checks.h"
#include "cuda_span_checks.h"

int main() {
  using namespace vssl;
  cuda::Checks checks;
  cuda::add_span_checks(checks);
  cuda::add_nt_xent_checks(checks);
  cuda::add_queue_checks(checks);
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    std::printf("no CUDA device: its checks were skipped\n");
    std::printf("0 passed, 0 failed, %zu skipped\n", checks.size());
    return 0;
  }
  unsetenv("VSSL_CUDA_PATH");
  if (cuda::selected_path() == cuda::Path::kHopper) cuda::paths.push_back("hopper");
  for (const auto& run : checks) run();
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}

#else

int main() {
  std::printf("built without CUDA: the device's checks were skipped\n");
  std::printf("0 passed, 0 failed, 1 skipped\n");
  return 0;
}

#endif
