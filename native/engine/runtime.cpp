#include "runtime.h"

#include <ATen/Version.h>
#include <c10/core/CPUAllocator.h>
#include <torch/version.h>

#include <atomic>

#include "../common/kept_memory.h"
#include "cuda_info.h"
#include "device_clips.h"
#include "errors.h"

namespace vssl::engine {

namespace {

// All CPU tensors of this process, libtorch's own scratch memory included, are kept memory.
class KeptAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    void* const data = bytes > 0 ? take_memory(bytes) : nullptr;
    return {data, data, &give, at::Device(at::kCPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &give; }
  void copy_data(void* to, const void* from, size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }

 private:
  static void give(void* memory) { give_memory(memory); }
};

// When the engine is loaded: before the first tensor, and above libtorch's own allocator.
const bool keeps_memory = [] {
  static KeptAllocator allocator;
  c10::SetCPUAllocator(&allocator, 1);
  return true;
}();

std::atomic<int> wanted_threads{0};

bool cpu_multiplies_bf16() {
#if defined(__x86_64__) && defined(__GNUC__)
  return __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

}  // namespace

CallScope::CallScope(bool gradients, at::Device device) : mode_(gradients), device_(device) {
  const int threads = wanted_threads.load();
  if (threads > 0 && at::get_num_threads() != threads) at::set_num_threads(threads);
}

void set_threads(int threads) {
  translated([&] {
    if (threads < 1) throw_invalid("expected at least 1 thread, got " + std::to_string(threads));
    wanted_threads = threads;
    at::set_num_threads(threads);
  });
}

EngineInfo info() {
  return translated([] {
    const CallScope scope(false);
    EngineInfo out;
    out.torch_version = TORCH_VERSION;
#ifdef VSSL_WITH_CUDA
    add_cuda_info(out);
#else
    out.cuda_reason = "this engine is the build for the CPU";
#endif
    out.cpu_capability = at::get_cpu_capability();
    out.bf16_fast = cpu_multiplies_bf16();
    out.threads = at::get_num_threads();
    return out;
  });
}

Placement placement_from(const Value& spec) {
  return {device_from(spec.get_string("device", "cpu")), spec.get_bool("channelsLast", true)};
}

void rethrow_if_full(const c10::Error& error, at::Device device) {
  const std::string what = error.what_without_backtrace();
  if (device.is_cpu() || what.find("out of memory") == std::string::npos) return;
  throw Error(
      "ERR_VSSL_CUDA_UNAVAILABLE",
      "device " + device.str() + " was asked for, and too little of its memory is free to begin: " + what +
          "; end the programs that hold it ('nvidia-smi' lists them), name another GPU (cuda:N), or use "
          "device cpu");
}

at::ScalarType compute_type_from(const std::string& precision, at::Device device) {
  at::ScalarType type = at::kFloat;
  if (precision == "bf16")
    type = at::kBFloat16;
  else if (precision == "fp16")
    type = at::kHalf;
  else if (precision != "fp32")
    throw_invalid("unknown precision \"" + precision + "\"; expected fp32, bf16 or fp16");
  if (type == at::kHalf && device.is_cpu())
    throw_invalid("precision fp16 is for GPUs that have no bf16; on the CPU use bf16 or fp32");
  return type;
}

namespace {

// The bytes of the batch as they are; clips that are packed as floats where no device makes them.
Tensor data_of(const video::ViewBuffer& array, bool whole) {
  const auto type = at::TensorOptions().dtype(whole ? at::kLong : at::kFloat);
  if (!array.packed) return at::from_blob(array.data.get(), array.shape, type);
  const Tensor made = at::empty(array.shape, type);
  array.copy_to(made.mutable_data_ptr<float>());
  return made;
}

Rows borrow(const video::ViewBuffer& array, at::Device device) {
  const auto& shape = array.shape;
  if (c10::multiply_integers(shape) < 1 || !(array.data || array.packed))
    throw_invalid("\"" + array.name + "\" is empty: " + shape_text(shape));
  const bool whole = array.dtype == video::DType::kInt64;
  const bool made_there = array.packed && kernels_of(device);
  Rows rows{array.name, {}, array.rows};
  if (made_there) {
    rows.packed = device_clips(array, device);
    rows.data = at::empty(shape, at::TensorOptions().dtype(at::kFloat).device(at::kMeta));
  } else {
    rows.data = data_of(array, whole);
  }
  if (!whole && shape.size() == 5 && shape[4] == 3) rows.data = rows.data.permute({0, 4, 1, 2, 3});
  return rows;
}

}  // namespace

std::vector<Rows> borrow(const std::vector<video::ViewBuffer>& arrays, at::Device device) {
  std::vector<Rows> out;
  for (const auto& array : arrays) out.push_back(borrow(array, device));
  return out;
}

Rows borrow_clips(const video::Batch& batch, const std::string& name, at::Device device) {
  const auto* array = find_named(batch.views, name);
  if (array && array->shape.size() == 5 && array->shape[4] == 3 && array->dtype == video::DType::kFloat32)
    return borrow(*array, device);
  throw_invalid("the batch has no view of clips \"" + name + "\"; its views: " + names_of(batch.views));
}

Tensor place_clips(const Tensor& clips, const Placement& placement, at::ScalarType compute) {
  // To another device as they are: converting them first would be work for the host.
  const Tensor moved = clips.to(placement.device).to(compute);
  return moved.contiguous(placement.channels_last ? at::MemoryFormat::ChannelsLast3d
                                                  : at::MemoryFormat::Contiguous);
}

Tensor clips_of(const Rows& view, int64_t first, int64_t last, const Placement& placement,
                at::ScalarType compute) {
  return place_clips(view.packed ? view.packed->make(first, last, compute) : view.data.slice(0, first, last),
                     placement, compute);
}

Tensor floats_of(const Rows& view, int64_t first, int64_t last) {
  return view.packed ? view.packed->make(first, last, at::kFloat) : view.data.slice(0, first, last);
}

std::vector<float> to_floats(const Tensor& tensor) {
  const Tensor host = tensor.detach().to(at::kCPU, at::kFloat).contiguous();
  const float* data = host.const_data_ptr<float>();
  return {data, data + host.numel()};
}

void count_tensor(MemoryStats& stats, const Tensor& tensor) {
  if (!tensor.defined()) return;
  ++stats.live_tensors;
  (tensor.is_cpu() ? stats.host_bytes : stats.device_bytes) += static_cast<int64_t>(tensor.nbytes());
}

}  // namespace vssl::engine
