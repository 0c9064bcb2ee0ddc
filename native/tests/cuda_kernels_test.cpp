// Tests of native/kernels/cuda on the device, on each path that it has, against the double-precision twins.
// Without CUDA or without a device every check counts as skipped. Prints a line per failure; the last line is
// "N passed, N failed" or "0 passed, 0 failed, N skipped".
#include <cstdlib>

#include "testing.h"

#ifdef VSSL_WITH_CUDA

#include "cuda_make_clips_checks.h"
#include "cuda_norm_checks.h"
#include "cuda_ntxent_checks.h"
#include "cuda_queue_checks.h"
#include "cuda_span_checks.h"
#include "cuda_topk_checks.h"
#include "cuda_update_checks.h"

int main() {
  using namespace vssl;
  cuda::Checks checks;
  cuda::add_span_checks(checks);
  cuda::add_nt_xent_checks(checks);
  cuda::add_queue_checks(checks);
  cuda::add_topk_checks(checks);
  cuda::add_norm_checks(checks);
  cuda::add_update_checks(checks);
  cuda::add_clips_checks(checks);
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    std::printf("no CUDA device: its checks were skipped\n");
    return finish(checks.size());
  }
  unsetenv("VSSL_CUDA_PATH");
  if (cuda::selected_path() == cuda::Path::kHopper) cuda::paths.push_back("hopper");
  for (const auto& run : checks) run();
  return finish();
}

#else

int main() {
  std::printf("built without CUDA: the device's checks were skipped\n");
  return vssl::finish(1);
}

#endif
