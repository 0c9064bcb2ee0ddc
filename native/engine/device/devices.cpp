#include "devices.h"

#include <charconv>

#include "../errors.h"

namespace vssl::engine {

#ifdef VSSL_WITH_CUDA
DeviceKind cuda_devices();  // cuda_kernels.cpp
#endif

namespace {

std::vector<DeviceKind>& kinds() {
  static std::vector<DeviceKind> all{
#ifdef VSSL_WITH_CUDA
      cuda_devices()
#endif
  };
  return all;
}

// Null for the CPU.
const DeviceKind* kind_of(at::Device device) {
  if (device.is_cpu()) return nullptr;
  for (const DeviceKind& kind : kinds())
    if (kind.type == device.type()) return &kind;
  return nullptr;
}

[[noreturn]] void throw_unknown(const std::string& name) {
  throw_invalid("unknown device \"" + name + "\"; expected cpu, cuda or cuda:N");
}

// N of 'cuda:N'.
int64_t index_of(const std::string& name, size_t colon) {
  if (colon == std::string::npos) return 0;
  int64_t index = -1;
  const char *begin = name.data() + colon + 1, *end = name.data() + name.size();
  const auto [last, error] = std::from_chars(begin, end, index);
  if (error != std::errc() || last != end || index < 0 || index > 127) throw_unknown(name);
  return index;
}

}  // namespace

void add_device_kind(DeviceKind kind) { kinds().push_back(std::move(kind)); }

at::Device device_from(const std::string& name) {
  if (name == "cpu") return at::kCPU;
  const size_t colon = name.find(':');
  const int64_t index = index_of(name, colon);
  const std::string kind = name.substr(0, colon);
  const DeviceKind* found = find_named(kinds(), kind);
  if (!found && kind != "cuda") throw_unknown(name);
  const std::string fault =
      found ? found->fault(index)
            : "this engine is the build for the CPU; 'npx vssl-native setup --cuda' makes the other";
  if (!fault.empty())
    throw Error("ERR_VSSL_CUDA_UNAVAILABLE",
                "device " + name + " was asked for: " + fault + "; or use device cpu");
  return at::Device(found->type, static_cast<at::DeviceIndex>(index));
}

const DeviceKernels* kernels_of(at::Device device) {
  const DeviceKind* kind = kind_of(device);
  return kind ? kind->kernels : nullptr;
}

Scratch::Scratch(size_t bytes, at::Device device)
    : memory_(at::empty({static_cast<int64_t>(std::max<size_t>(bytes, 1))},
                        at::TensorOptions().dtype(at::kByte).device(device))) {}

}  // namespace vssl::engine
