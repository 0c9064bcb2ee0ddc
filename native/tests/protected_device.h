// A device for tests where there is no GPU: libtorch's PrivateUse1, whose memory is the host's, but protected
// from all but the operations of the device. What a GPU would not forgive is found here: code of the host
// that follows a device's pointer dies of SIGSEGV, and an operation over tensors of both is an error.
//
// Its operations are those of the CPU, on copies. It is called "protected".
#pragma once

#include <ATen/EmptyTensor.h>
#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <ATen/native/CPUFallback.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/unfold_native.h>
#include <ATen/ops/view_native.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <sys/mman.h>
#include <torch/library.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <map>
#include <mutex>

#include "../engine/tensor.h"

namespace vssl::engine::testing {

constexpr auto kProtected = at::DeviceType::PrivateUse1;
inline const at::Device protected_device{kProtected, 0};

// All memory of the device. It is mapped twice: where tensors say that they are nobody may read or write; the
// device's own operations go to the other place.
class Arena {
 public:
  static Arena& get() {
    static Arena& arena = *new Arena;  // tensors of static duration may outlive a static
    return arena;
  }

  void* take(size_t bytes) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const size_t size = (std::max<size_t>(bytes, 1) + kStep - 1) / kStep * kStep;
    size_t at;
    if (const auto free = free_.find(size); free != free_.end()) {
      at = free->second;
      free_.erase(free);
    } else {
      at = used_;
      if (used_ + size > kRange) throw std::bad_alloc();
      used_ += size;
    }
    sizes_[at] = size;
    return closed_ + at;
  }
  void give(void* memory) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto at = static_cast<size_t>(static_cast<char*>(memory) - closed_);
    free_.emplace(sizes_.at(at), at);
    sizes_.erase(at);
  }
  bool holds(const void* memory, size_t bytes = 1) const {
    const auto* at = static_cast<const char*>(memory);
    return at >= closed_ && at + bytes <= closed_ + used_;
  }
  // What lies behind an address of the device.
  template <typename T>
  T* open(T* memory) const {
    return reinterpret_cast<T*>(reinterpret_cast<uintptr_t>(memory) - reinterpret_cast<uintptr_t>(closed_) +
                                reinterpret_cast<uintptr_t>(open_));
  }

 private:
  static constexpr size_t kRange = size_t{1} << 33, kStep = 256;

  Arena() {
    const int file = memfd_create("protected device", 0);
    if (file < 0 || ftruncate(file, kRange) != 0) std::abort();
    closed_ = map(file, PROT_NONE);
    open_ = map(file, PROT_READ | PROT_WRITE);
    close(file);
  }
  static char* map(int file, int how) {
    void* const memory = mmap(nullptr, kRange, how, MAP_SHARED | MAP_NORESERVE, file, 0);
    if (memory == MAP_FAILED) std::abort();
    return static_cast<char*>(memory);
  }

  std::mutex mutex_;
  char *closed_, *open_;
  std::atomic<size_t> used_{0};
  std::map<size_t, size_t> sizes_;      // of each block
  std::multimap<size_t, size_t> free_;  // blocks by size
};

// Another program has taken all of its memory.
inline std::atomic<bool> protected_is_full{false};

class ProtectedAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    if (bytes == 0) return {nullptr, nullptr, &give, protected_device};
    TORCH_CHECK_WITH(OutOfMemoryError, !protected_is_full, "protected out of memory: ", bytes, " bytes");
    void* const data = Arena::get().take(bytes);
    std::memset(Arena::get().open(data), 0xff, bytes);  // NaN: memory comes as it was left
    return {data, data, &give, protected_device};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &give; }
  void copy_data(void* to, const void* from, size_t bytes) const override {
    std::memcpy(Arena::get().open(to), Arena::get().open(from), bytes);
  }

 private:
  static void give(void* memory) {
    if (memory) Arena::get().give(memory);
  }
};

inline ProtectedAllocator& protected_allocator() {
  static ProtectedAllocator allocator;
  return allocator;
}

// The device's memory as a tensor of the CPU.
inline Tensor behind(const Tensor& t) {
  if (!t.is_privateuseone()) return t;
  return at::from_blob(Arena::get().open(t.mutable_data_ptr()), t.sizes(), t.strides(),
                       at::TensorOptions().dtype(t.scalar_type()));
}

namespace operations {

constexpr c10::DispatchKeySet kKeys(c10::DispatchKey::PrivateUse1);

inline Tensor empty(at::IntArrayRef sizes, std::optional<at::ScalarType> type, std::optional<at::Layout>,
                    std::optional<at::Device>, std::optional<bool>, std::optional<at::MemoryFormat> format) {
  return at::detail::empty_generic(sizes, &protected_allocator(), kKeys, type.value_or(at::kFloat), format);
}
inline Tensor empty_strided(at::IntArrayRef sizes, at::IntArrayRef strides,
                            std::optional<at::ScalarType> type, std::optional<at::Layout>,
                            std::optional<at::Device>, std::optional<bool>) {
  return at::detail::empty_strided_generic(sizes, strides, &protected_allocator(), kKeys,
                                           type.value_or(at::kFloat));
}
inline Tensor copy_from(const Tensor& from, const Tensor& to, bool) {
  behind(to).copy_(behind(from));
  return to;
}
inline const Tensor& resize(const Tensor& t, at::IntArrayRef sizes, std::optional<at::MemoryFormat>) {
  t.unsafeGetTensorImpl()->set_sizes_contiguous(sizes);
  const size_t bytes = static_cast<size_t>(t.numel() + t.storage_offset()) * t.element_size();
  c10::StorageImpl* const storage = t.storage().unsafeGetStorageImpl();
  if (bytes > storage->nbytes()) {
    c10::DataPtr larger = protected_allocator().allocate(bytes);
    if (storage->nbytes() > 0)
      protected_allocator().copy_data(larger.get(), storage->data(), storage->nbytes());
    storage->set_data_ptr_noswap(std::move(larger));
    storage->set_nbytes(bytes);
  }
  return t;
}
inline Tensor copy_from_and_resize(const Tensor& from, const Tensor& to) {
  if (from.sizes() != to.sizes()) operations::resize(to, from.sizes(), std::nullopt);
  return copy_from(from, to, false);
}

inline Tensor host(const Tensor& t) { return t.to(at::kCPU, at::kFloat); }
inline Tensor there(const Tensor& t, at::ScalarType type) {
  return t.defined() ? t.to(type).to(protected_device) : t;
}

// There is one stream.
inline void record_stream(Tensor&, c10::Stream) {}

// In fp32: libtorch's own gradient in bf16 is wrong for small outputs on some CPUs (layers/conv.cpp).
inline Tensor convolution(const Tensor& x, const Tensor& w, const std::optional<Tensor>& bias,
                          at::IntArrayRef stride, at::IntArrayRef padding, at::IntArrayRef dilation,
                          bool transposed, at::IntArrayRef output_padding, int64_t groups) {
  const auto b = bias && bias->defined() ? std::optional<Tensor>(host(*bias)) : std::nullopt;
  return there(
      at::convolution(host(x), host(w), b, stride, padding, dilation, transposed, output_padding, groups),
      x.scalar_type());
}
inline std::tuple<Tensor, Tensor, Tensor> convolution_backward(const Tensor& g, const Tensor& x,
                                                               const Tensor& w, at::IntArrayRef stride,
                                                               at::IntArrayRef padding,
                                                               at::IntArrayRef dilation, bool transposed,
                                                               at::IntArrayRef output_padding, int64_t groups,
                                                               std::array<bool, 3> wanted) {
  const auto [gx, gw, gb] =
      at::convolution_backward(host(g), host(x), host(w), at::OptionalIntArrayRef({w.size(0)}), stride,
                               padding, dilation, transposed, output_padding, groups, wanted);
  const at::ScalarType type = x.scalar_type();
  return {there(gx, type), there(gw, type), there(gb, type)};
}

// libtorch asks devices of this kind for these two. Gates i, f, g, o; the workspace holds them after their
// functions.
inline std::tuple<Tensor, Tensor, Tensor> lstm_cell(const Tensor& from_input, const Tensor& from_hidden,
                                                    const Tensor& cx, const std::optional<Tensor>& input_bias,
                                                    const std::optional<Tensor>& hidden_bias) {
  Tensor gates = from_input + from_hidden;
  if (input_bias && input_bias->defined()) gates = gates + *input_bias + *hidden_bias;
  const auto g = gates.chunk(4, 1);
  const Tensor i = g[0].sigmoid(), f = g[1].sigmoid(), c = g[2].tanh(), o = g[3].sigmoid();
  const Tensor cy = f * cx + i * c;
  return {o * cy.tanh(), cy, at::cat({i, f, c, o}, 1)};
}
inline std::tuple<Tensor, Tensor, Tensor> lstm_cell_backward(const std::optional<Tensor>& grad_hy,
                                                             const std::optional<Tensor>& grad_cy,
                                                             const Tensor& cx, const Tensor& cy,
                                                             const Tensor& workspace, bool has_bias) {
  const auto g = workspace.chunk(4, 1);
  const Tensor &i = g[0], &f = g[1], &c = g[2], &o = g[3], t = cy.tanh();
  const Tensor ghy = grad_hy && grad_hy->defined() ? *grad_hy : at::zeros_like(cy);
  Tensor gcy = ghy * o * (1 - t * t);
  if (grad_cy && grad_cy->defined()) gcy = gcy + *grad_cy;
  const Tensor gates = at::cat(
      {gcy * c * i * (1 - i), gcy * cx * f * (1 - f), gcy * i * (1 - c * c), ghy * t * o * (1 - o)}, 1);
  return {gates, gcy * f, has_bias ? gates.sum(0) : Tensor()};
}

// As on a GPU: single numbers may be the host's, all else is the device's.
inline void require_here(const c10::OperatorHandle& op, const Tensor& t) {
  TORCH_CHECK(!t.defined() || t.dim() == 0 || t.is_privateuseone(), op.schema().name(),
              ": expected all tensors on the device \"protected\", found one of shape ", t.sizes(), " on ",
              t.device());
}

// Whatever has no operation of its own here.
inline void fall_back(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  for (const c10::IValue& value : torch::jit::last(*stack, op.schema().arguments().size())) {
    if (value.isTensor()) require_here(op, value.toTensor());
    if (value.isTensorList())
      for (const Tensor& t : value.toTensorVector()) require_here(op, t);
  }
  at::native::cpu_fallback(op, stack);
}

}  // namespace operations

struct ProtectedGuard final : c10::impl::DeviceGuardImplInterface {
  at::DeviceType type() const override { return kProtected; }
  at::Device exchangeDevice(at::Device) const override { return protected_device; }
  at::Device getDevice() const override { return protected_device; }
  void setDevice(at::Device) const override {}
  void uncheckedSetDevice(at::Device) const noexcept override {}
  c10::Stream getStream(at::Device) const override {
    return c10::Stream(c10::Stream::DEFAULT, protected_device);
  }
  c10::Stream getStreamFromGlobalPool(at::Device device, bool) const override { return getStream(device); }
  c10::Stream getDefaultStream(at::Device device) const override { return getStream(device); }
  c10::Stream exchangeStream(c10::Stream) const override { return getStream(protected_device); }
  at::DeviceIndex deviceCount() const noexcept override { return 1; }
  // Events are moments: what was asked for before is done.
  void record(void** event, const c10::Stream&, at::DeviceIndex, c10::EventFlag) const override {
    if (!*event) *event = new Clock::time_point;
    *static_cast<Clock::time_point*>(*event) = Clock::now();
  }
  void destroyEvent(void* event, at::DeviceIndex) const noexcept override {
    delete static_cast<Clock::time_point*>(event);
  }
  void block(void*, const c10::Stream&) const override {}
  bool queryEvent(void*) const override { return true; }
  double elapsedTime(void* begin, void* end, at::DeviceIndex) const override {
    const auto from = *static_cast<Clock::time_point*>(begin), to = *static_cast<Clock::time_point*>(end);
    return std::chrono::duration<double, std::milli>(to - from).count();
  }

 private:
  using Clock = std::chrono::steady_clock;
};

struct ProtectedHooks final : at::PrivateUse1HooksInterface {
  bool hasPrimaryContext(at::DeviceIndex) const override { return true; }
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  at::DeviceIndex deviceCount() const override { return 1; }
  at::DeviceIndex getCurrentDevice() const override { return 0; }
};

C10_REGISTER_GUARD_IMPL(PrivateUse1, ProtectedGuard);

TORCH_LIBRARY_IMPL(aten, PrivateUse1, m) {
  m.impl("empty.memory_format", operations::empty);
  m.impl("empty_strided", operations::empty_strided);
  m.impl("as_strided", at::native::as_strided_tensorimpl);
  m.impl("view", at::native::view);
  m.impl("_reshape_alias", at::native::_reshape_alias);
  m.impl("unfold", at::native::unfold);
  m.impl("record_stream", operations::record_stream);
  m.impl("resize_", operations::resize);
  m.impl("_copy_from", operations::copy_from);
  m.impl("_copy_from_and_resize", operations::copy_from_and_resize);
  m.impl("convolution_overrideable", operations::convolution);
  m.impl("convolution_backward_overrideable", operations::convolution_backward);
  m.impl("_thnn_fused_lstm_cell", operations::lstm_cell);
  m.impl("_thnn_fused_lstm_cell_backward_impl", operations::lstm_cell_backward);
}
TORCH_LIBRARY_IMPL(_, PrivateUse1, m) {
  m.fallback(torch::CppFunction::makeFromBoxedFunction<&operations::fall_back>());
}

// Before the first tensor on it.
inline void begin_protected_device() {
  static ProtectedHooks hooks;
  at::RegisterPrivateUse1HooksInterface(&hooks);
  c10::register_privateuse1_backend("protected");
  c10::SetAllocator(kProtected, &protected_allocator());
}

}  // namespace vssl::engine::testing
