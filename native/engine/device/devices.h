// Kinds of devices beside the CPU: their names, and the kernels that the engine has for them. Code that
// differs between devices asks kernels_of() and nothing else.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "kernels.h"

namespace vssl::engine {

struct DeviceKind {
  std::string name;  // 'cuda'
  at::DeviceType type;
  const DeviceKernels* kernels;
  // Why no device of this kind can be used, or not this one; empty when it can.
  std::function<std::string(int64_t index)> fault;
};

// When a program starts, before the first device is asked for.
void add_device_kind(DeviceKind kind);

// 'cpu', or the name of a kind, with its first device or one by number: 'cuda', 'cuda:1'. Throws
// ERR_VSSL_INVALID_ARGUMENT for other names, ERR_VSSL_CUDA_UNAVAILABLE with the reason for a device that
// cannot be used.
at::Device device_from(const std::string& name);

// Null on the CPU, whose kernels are called as they are: they take threads and caches, not streams and
// workspaces.
const DeviceKernels* kernels_of(at::Device device);
inline const DeviceKernels* kernels_of(const Tensor& tensor) { return kernels_of(tensor.device()); }

// Memory for one call, from libtorch's allocator: freed in the order of the stream.
class Scratch {
 public:
  Scratch(size_t bytes, at::Device device);
  Room room() const { return {memory_.mutable_data_ptr(), static_cast<size_t>(memory_.numel())}; }

 private:
  Tensor memory_;
};

}  // namespace vssl::engine
