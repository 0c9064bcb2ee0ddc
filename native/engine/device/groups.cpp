#include "groups.h"

namespace vssl::engine {

#ifdef VSSL_WITH_CUDA
// cuda_group.cpp
c10::intrusive_ptr<c10d::Backend> open_nccl(const c10::intrusive_ptr<c10d::Store>& store, int rank, int size,
                                            std::chrono::milliseconds timeout);
#endif

c10::intrusive_ptr<c10d::Backend> open_device_group(
    [[maybe_unused]] at::DeviceType type, [[maybe_unused]] const c10::intrusive_ptr<c10d::Store>& store,
    [[maybe_unused]] int rank, [[maybe_unused]] int size,
    [[maybe_unused]] std::chrono::milliseconds timeout) {
#ifdef VSSL_WITH_CUDA
  if (type == at::kCUDA) return open_nccl(store, rank, size, timeout);
#endif
  return nullptr;
}

}  // namespace vssl::engine
