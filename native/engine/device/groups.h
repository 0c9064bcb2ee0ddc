// Exchanges between processes from one device's memory to another's. Where a kind of device has none of its
// own they go through the host (collectives/process_ranks.h).
#pragma once

#include <chrono>
#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

namespace vssl::engine {

// The group of these ranks for tensors of this kind of device; null where there is none. The ranks find each
// other in `store`.
c10::intrusive_ptr<c10d::Backend> open_device_group(at::DeviceType type,
                                                    const c10::intrusive_ptr<c10d::Store>& store, int rank,
                                                    int size, std::chrono::milliseconds timeout);

}  // namespace vssl::engine
