// Tests of native/kernels/cuda on the device, on each path that it has, against the double-precision twins.
// Without CUDA or without a device every check counts as skipped. Prints a line per failure; the last line is
// "N passed, N failed, N skipped".
#include <cstdio>
#include <cstdlib>

#ifdef VSSL_WITH_CUDA

#include "cuda_ntxent_checks.h"
#include "cuda_queue_checks.h"
#include "cuda_span_checks.h"

int main() {
  using namespace vssl;
  cuda::Checks on_each_path, once;
  cuda::add_nt_xent_checks(on_each_path);
  cuda::add_queue_checks(on_each_path);
  cuda::add_span_checks(once);
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    std::printf("no CUDA device: its checks were skipped\n");
    std::printf("0 passed, 0 failed, %zu skipped\n", 2 * on_each_path.size() + once.size());
    return 0;
  }
  std::size_t skipped = 0;
  unsetenv("VSSL_CUDA_PATH");
  const bool has_hopper = cuda::selected_path() == cuda::Path::kHopper;
  for (const auto& run : once) run();
  for (const char* path : {"portable", "hopper"}) {
    if (path[0] == 'h' && !has_hopper) {
      skipped += on_each_path.size();
      continue;
    }
    setenv("VSSL_CUDA_PATH", path, 1);
    for (const auto& run : on_each_path) run();
  }
  std::printf("%d passed, %d failed, %zu skipped\n", passed, failed, skipped);
  return failed == 0 ? 0 : 1;
}

#else

int main() {
  std::printf("built without CUDA: the device's checks were skipped\n");
  std::printf("0 passed, 0 failed, 1 skipped\n");
  return 0;
}

#endif
