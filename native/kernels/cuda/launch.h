// Launching a kernel: attributes, argument types and errors in one place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>

#ifndef VSSL_CUDA_EMULATED
#include <cuda_runtime.h>
#endif

#include "../../common/error.h"

namespace vssl::cuda {

/// The CUDA runtime refused; the message names what was tried.
inline constexpr char kCudaError[] = "ERR_VSSL_CUDA";

inline void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  throw Error(kCudaError, std::string(what) + " failed: " + cudaGetErrorString(status));
}

/// The arguments that may not be null.
inline void require_pointers(std::initializer_list<const void*> pointers) {
  for (const void* pointer : pointers) {
    if (pointer == nullptr) throw Error(kInvalidArgument, "expected device pointers but received null");
  }
}

inline void require_workspace(const void* workspace, std::size_t bytes, std::size_t needed) {
  if (workspace == nullptr || reinterpret_cast<std::uintptr_t>(workspace) % 256 != 0)
    throw Error(kInvalidArgument, "expected a workspace on a 256-byte boundary");
  if (bytes < needed) {
    throw Error(kInvalidArgument, "expected a workspace of " + std::to_string(needed) +
                                      " bytes or more but received " + std::to_string(bytes));
  }
}

struct LaunchShape {
  dim3 grid;
  int threads;
  std::size_t shared_bytes = 0;
  int cluster = 1;        ///< blocks a cluster, along grid.x; sm_90 and up
  bool overlaps = false;  ///< may get ready while its predecessor drains, and calls take_over(); sm_90
};

/// Enqueues kernel(arguments...) on the stream. Nothing waits, nothing is allocated: it can be captured.
template <typename... Parameters, typename... Arguments>
void launch(const char* name, void (*kernel)(Parameters...), const LaunchShape& shape, cudaStream_t stream,
            const Arguments&... arguments) {
  const void* const address = reinterpret_cast<const void*>(kernel);
  if (shape.shared_bytes > 48 * 1024) {
    check(cudaFuncSetAttribute(address, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(shape.shared_bytes)),
          name);
  }
  cudaLaunchAttribute attributes[2] = {};
  unsigned count = 0;
  if (shape.cluster > 1) {
    attributes[count].id = cudaLaunchAttributeClusterDimension;
    attributes[count].val.clusterDim.x = static_cast<unsigned>(shape.cluster);
    attributes[count].val.clusterDim.y = 1;
    attributes[count].val.clusterDim.z = 1;
    ++count;
  }
  if (shape.overlaps) {
    attributes[count].id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attributes[count].val.programmaticStreamSerializationAllowed = 1;
    ++count;
  }
  cudaLaunchConfig_t config = {};
  config.gridDim = shape.grid;
  config.blockDim = dim3(static_cast<unsigned>(shape.threads));
  config.dynamicSmemBytes = shape.shared_bytes;
  config.stream = stream;
  config.attrs = attributes;
  config.numAttrs = count;
  check(cudaLaunchKernelEx(&config, kernel, Parameters(arguments)...), name);
}

/// Carves a caller's workspace into arrays, each on a 256-byte boundary; without memory it only counts.
class Carver {
 public:
  explicit Carver(void* memory = nullptr) : memory_(static_cast<unsigned char*>(memory)) {}

  template <typename T>
  void take(T*& place, int64_t count) {
    place = memory_ == nullptr ? nullptr : reinterpret_cast<T*>(memory_ + used_);
    used_ += (static_cast<std::size_t>(count) * sizeof(T) + 255) / 256 * 256;
  }

  std::size_t bytes() const { return used_; }

 private:
  unsigned char* memory_;
  std::size_t used_ = 0;
};

}  // namespace vssl::cuda
