#include <cstdlib>
#include <cstring>
#include <string>

#include "launch.h"
#include "path.h"

namespace vssl::cuda {
namespace {

bool device_is_hopper() {
  int device = 0, major = 0, minor = 0;
  check(cudaGetDevice(&device), "cudaGetDevice");
  check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device), "cudaDeviceGetAttribute");
  check(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device), "cudaDeviceGetAttribute");
  if (major < 8) {
    throw Error(kCudaError, "expected a device of compute capability 8.0 or more but found " +
                                std::to_string(major) + "." + std::to_string(minor));
  }
  return major == 9 && minor == 0;
}

// The environment's wish, null when there is none.
const char* wanted_path() {
  const char* const wanted = std::getenv("VSSL_CUDA_PATH");
  return wanted == nullptr || *wanted == '\0' ? nullptr : wanted;
}

}  // namespace

Path selected_path() {
  const bool hopper = device_is_hopper();
  const char* const wanted = wanted_path();
  if (wanted == nullptr) return hopper ? Path::kHopper : Path::kPortable;
  if (std::strcmp(wanted, "portable") == 0) return Path::kPortable;
  if (std::strcmp(wanted, "hopper") != 0) {
    throw Error(kInvalidArgument,
                std::string("expected portable or hopper in VSSL_CUDA_PATH but found '") + wanted + "'");
  }
  if (!hopper)
    throw Error(kInvalidArgument, "VSSL_CUDA_PATH asks for hopper but the device is not of capability 9.0");
  return Path::kHopper;
}

bool path_is_forced() { return wanted_path() != nullptr; }

bool launches_overlap() {
  const char* const wish = std::getenv("VSSL_CUDA_OVERLAP");
  return wish == nullptr || std::strcmp(wish, "off") != 0;
}

const char* path_name(Path path) { return path == Path::kHopper ? "hopper" : "portable"; }

}  // namespace vssl::cuda
