// What the suites of native/kernels/cuda share: device memory, whether there is a device, one checked call.
// The same code runs on a device and, with VSSL_CUDA_EMULATED, on the CPU.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#ifndef VSSL_CUDA_EMULATED
#include <cuda_runtime_api.h>
#endif

#include "../kernels/cuda/kernels_cuda.h"
#include "../kernels/cuda/path.h"
#include "kernels_plain_bf16.h"
#include "kernels_testing.h"

namespace vssl::cuda {

#ifdef VSSL_CUDA_EMULATED
constexpr bool kEmulated = true;
inline void* device_allocate(std::size_t bytes) {
  void* p = nullptr;
  return posix_memalign(&p, 256, bytes) == 0 ? p : nullptr;  // exact, for the address sanitizer
}
inline void device_free(void* p) { std::free(p); }
inline void device_copy(void* to, const void* from, std::size_t bytes) { std::memcpy(to, from, bytes); }
inline void device_poison(void* p, std::size_t bytes) { std::memset(p, 0xff, bytes); }
#else
constexpr bool kEmulated = false;
inline void must(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  std::printf("FAILED %s: %s\n", what, cudaGetErrorString(status));
  std::exit(1);  // after an error nothing on the device can be trusted
}
inline void* device_allocate(std::size_t bytes) {
  void* p = nullptr;
  must(cudaMalloc(&p, bytes), "cudaMalloc");
  return p;
}
inline void device_free(void* p) { must(cudaFree(p), "cudaFree"); }
inline void device_copy(void* to, const void* from, std::size_t bytes) {
  must(cudaMemcpy(to, from, bytes, cudaMemcpyDefault), "cudaMemcpy");
}
inline void device_poison(void* p, std::size_t bytes) { must(cudaMemset(p, 0xff, bytes), "cudaMemset"); }
#endif

/// Device memory of `count` values, at `offset` values from an aligned address, poisoned (NaN).
template <typename T>
class DeviceArray {
 public:
  explicit DeviceArray(std::size_t count, std::size_t offset = 0)
      : count_(count),
        bytes_((count + offset) * sizeof(T)),
        memory_(device_allocate(bytes_ > 0 ? bytes_ : 1)) {
    data_ = static_cast<T*>(memory_) + offset;
    device_poison(memory_, bytes_);
  }
  explicit DeviceArray(const std::vector<T>& values, std::size_t offset = 0)
      : DeviceArray(values.size(), offset) {
    device_copy(data_, values.data(), count_ * sizeof(T));
  }
  ~DeviceArray() { device_free(memory_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  T* get() const { return data_; }
  std::size_t bytes() const { return bytes_; }
  std::vector<T> read() const {
    std::vector<T> values(count_);
    device_copy(values.data(), data_, count_ * sizeof(T));
    return values;
  }

 private:
  std::size_t count_, bytes_;
  void* memory_;
  T* data_;
};

using Work = std::function<void(cudaStream_t)>;
using Checks = std::vector<std::function<void()>>;

/// The paths that the device has; every check of the losses runs on each.
inline std::vector<std::string> paths = {"portable"};

template <typename Run>
void on_each_path(Precision precision, Run&& run) {
  for (const std::string& path : paths) {
    if (kEmulated && precision == Precision::kFp32 && path == "hopper")
      continue;  // the portable kernels again
    setenv("VSSL_CUDA_PATH", path.c_str(), 1);
#ifdef VSSL_CUDA_EMULATED
    emulator::settings.major = path == "hopper" ? 9 : 8;
    if (path == "hopper") {
      kHopperWorkers = 2;
      run();
      kHopperWorkers = 132;
    }
#endif
    run();
  }
}

/// A case and the path that runs it.
template <typename AnyCase>
std::string name(const AnyCase& c) {
  const std::string of_case = c.name();
  return std::string("cuda ") + path_name(selected_path()) + of_case.substr(of_case.find(' '));
}

/// Runs what enqueues and waits for it; with `replays` that many times from a captured graph instead.
inline void enqueue_work(const Work& work, int replays = 0) {
#ifdef VSSL_CUDA_EMULATED
  (void)replays;
  work(nullptr);
#else
  cudaStream_t stream = nullptr;
  must(cudaStreamCreate(&stream), "cudaStreamCreate");
  if (replays == 0) {
    work(stream);
  } else {
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t executable = nullptr;
    must(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal), "cudaStreamBeginCapture");
    work(stream);
    must(cudaStreamEndCapture(stream, &graph), "cudaStreamEndCapture");
    must(cudaGraphInstantiate(&executable, graph, 0), "cudaGraphInstantiate");
    for (int i = 0; i < replays; ++i) must(cudaGraphLaunch(executable, stream), "cudaGraphLaunch");
    must(cudaStreamSynchronize(stream), "a replayed kernel");
    must(cudaGraphExecDestroy(executable), "cudaGraphExecDestroy");
    must(cudaGraphDestroy(graph), "cudaGraphDestroy");
  }
  must(cudaStreamSynchronize(stream), "a kernel");
  must(cudaStreamDestroy(stream), "cudaStreamDestroy");
#endif
}

/// `call` must be refused as wrong.
template <typename Call>
void check_refused(const std::string& what, Call&& call) {
  const std::string code = code_of(call);
  check(code == kInvalidArgument, what + ": a wrong call gave the code '" + code + "'");
}

}  // namespace vssl::cuda
