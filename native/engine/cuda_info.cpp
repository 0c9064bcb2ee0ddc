#include "cuda_info.h"

#include <ATen/detail/CUDAHooksInterface.h>
#include <cuda_runtime_api.h>

namespace vssl::engine {

namespace {

// 13000 -> "13.0"
std::string version_of_cuda(int number) {
  return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10);
}

// 92400 -> "9.24.0"; before 9 the major version counted thousands.
std::string version_of_cudnn(long number) {
  const long major = number >= 90000 ? 10000 : 1000;
  return std::to_string(number / major) + "." + std::to_string(number % major / 100) + "." +
         std::to_string(number % 100);
}

// Of the library that is loaded, where this libtorch can say it; else of the one that it was built with.
template <typename Hooks>
auto cudnn_number(const Hooks& hooks, int) -> decltype(hooks.versionRuntimeCuDNN()) {
  return hooks.versionRuntimeCuDNN();
}
template <typename Hooks>
long cudnn_number(const Hooks& hooks, long) {
  return hooks.versionCuDNN();
}

// Why there is no device, from what cudaGetDeviceCount said.
std::string why_none(cudaError_t said, int runtime) {
  int driver = 0;
  if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) return "there is no NVIDIA driver";
  if (said == cudaErrorInsufficientDriver)
    return "the NVIDIA driver is for CUDA " + version_of_cuda(driver) + ", and this engine for CUDA " +
           version_of_cuda(runtime);
  if (said == cudaSuccess || said == cudaErrorNoDevice)
    return "the NVIDIA driver shows no GPU (is CUDA_VISIBLE_DEVICES set, or the container without GPUs?)";
  return std::string("CUDA cannot be used: ") + cudaGetErrorString(said);
}

EngineInfo look() {
  EngineInfo out;
  out.cuda_built = true;
  int runtime = 0, count = 0;
  cudaRuntimeGetVersion(&runtime);
  out.cuda_version = version_of_cuda(runtime);
  const auto& hooks = at::detail::getCUDAHooks();
  if (hooks.hasCuDNN()) out.cudnn_version = version_of_cudnn(cudnn_number(hooks, 0));
  const cudaError_t said = cudaGetDeviceCount(&count);
  for (int i = 0; said == cudaSuccess && i < count; ++i) {
    cudaDeviceProp properties{};
    const bool known = cudaGetDeviceProperties(&properties, i) == cudaSuccess;
    out.cuda_devices.emplace_back(known ? properties.name : "unknown");
  }
  out.cuda_available = !out.cuda_devices.empty();
  if (!out.cuda_available) out.cuda_reason = why_none(said, runtime);
  cudaGetLastError();  // a refusal that was told above is none of whoever asks next
  return out;
}

}  // namespace

void add_cuda_info(EngineInfo& info) {
  static const EngineInfo found = look();
  info.cuda_built = found.cuda_built;
  info.cuda_available = found.cuda_available;
  info.cuda_reason = found.cuda_reason;
  info.cuda_version = found.cuda_version;
  info.cudnn_version = found.cudnn_version;
  info.cuda_devices = found.cuda_devices;
}

}  // namespace vssl::engine
