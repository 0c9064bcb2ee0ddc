#include "runtime.h"

#include <ATen/Version.h>
#include <c10/core/CPUAllocator.h>
#include <torch/version.h>

#include <atomic>

#include "../common/kept_memory.h"
#include "cuda_info.h"
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

std::vector<Rows> borrow(const std::vector<video::ViewBuffer>& arrays) {
  std::vector<Rows> out;
  for (const auto& array : arrays) {
    const auto& shape = array.shape;
    const int64_t numbers = c10::multiply_integers(shape);
    if (numbers < 1 || !array.data) throw_invalid("\"" + array.name + "\" is empty: " + shape_text(shape));
    const bool whole = array.dtype == video::DType::kInt64;
    Tensor data =
        at::from_blob(array.data.get(), shape, at::TensorOptions().dtype(whole ? at::kLong : at::kFloat));
    if (!whole && shape.size() == 5 && shape[4] == 3) data = data.permute({0, 4, 1, 2, 3});
    out.push_back({array.name, data, array.rows});
  }
  return out;
}

Tensor borrow_clips(const video::Batch& batch, const std::string& name) {
  const std::vector<Rows> views = borrow(batch.views);
  const Rows* view = find_named(views, name);
  if (view && view->data.dim() == 5 && view->data.size(1) == 3) return view->data;
  throw_invalid("the batch has no view of clips \"" + name + "\"; its views: " + names_of(views));
}

Tensor place_clips(const Tensor& clips, const Placement& placement, at::ScalarType compute) {
  // To another device as they are: converting them first would be work for the host.
  const Tensor moved = clips.to(placement.device).to(compute);
  return moved.contiguous(placement.channels_last ? at::MemoryFormat::ChannelsLast3d
                                                  : at::MemoryFormat::Contiguous);
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
