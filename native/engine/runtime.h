// State of libtorch that is local to a thread, set at each entry through the facade.
#pragma once

#include <c10/core/DeviceGuard.h>

#include <mutex>
#include <string>

#include "../common/kept_memory.h"
#include "../video/video.h"
#include "device/devices.h"
#include "errors.h"
#include "inputs.h"
#include "tensor.h"
#include "weights.h"

namespace vssl::engine {

// Gradient mode, the current device and the number of intra-op threads belong to the calling thread in
// libtorch, and the caller may be any thread: every facade call holds one of these.
class CallScope {
 public:
  explicit CallScope(bool gradients, at::Device device = at::kCPU);

 private:
  at::AutoGradMode mode_;
  c10::DeviceGuard device_;
};

// A session or an encoder, whose calls come from any thread and take turns.
class TakingTurns {
 public:
  explicit TakingTurns(at::Device device = at::kCPU) : device_(device) {}
  // After what it held: that goes back to the system.
  ~TakingTurns() { release_kept_memory(); }

  // body(), alone, with its errors translated.
  template <typename Body>
  auto turn(bool gradients, Body&& body) {
    return translated([&] {
      const std::lock_guard<std::mutex> lock(mutex_);
      const CallScope scope(gradients, device_);
      return body();
    });
  }

 private:
  const at::Device device_;
  std::mutex mutex_;
};

// What a session and an encoder say of device and layout.
Placement placement_from(const Value& spec);

// A device that is full from the start is one that cannot be used: ERR_VSSL_CUDA_UNAVAILABLE. Goes on with
// other errors.
void rethrow_if_full(const c10::Error& error, at::Device device);

// body(), which makes a session or an encoder, with its errors translated.
template <typename Body>
void begun_on(const Value& spec, Body&& body) {
  translated([&] {
    const at::Device device = placement_from(spec).device;
    try {
      const CallScope scope(false, device);
      body();
    } catch (const c10::Error& error) {
      rethrow_if_full(error, device);
      throw;
    }
  });
}

// 'fp32', 'bf16' or, beside the CPU, 'fp16'.
at::ScalarType compute_type_from(const std::string& precision, at::Device device);

// Rows over the batch's own memory; they live as long as the batch. Floats of shape (N, T, H, W, 3) are clips
// and become (N, 3, T, H, W), channels-last. What is packed goes to the device.
std::vector<Rows> borrow(const std::vector<video::ViewBuffer>& arrays, at::Device device);
// A view of clips. Throws ERR_VSSL_INVALID_ARGUMENT when there is none of this name.
Rows borrow_clips(const video::Batch& batch, const std::string& name, at::Device device);

// (N, 3, T, H, W) on the placement's device, in its layout and the compute type.
Tensor place_clips(const Tensor& clips, const Placement& placement, at::ScalarType compute);

// Rows [first, last) of a view of clips, placed.
Tensor clips_of(const Rows& view, int64_t first, int64_t last, const Placement& placement,
                at::ScalarType compute);
inline Tensor clips_of(const Rows& view, const Placement& placement, at::ScalarType compute) {
  return clips_of(view, 0, view.data.size(0), placement, compute);
}
// The same in fp32, channels-last, where they are: on the CPU, or where they were packed for.
Tensor floats_of(const Rows& view, int64_t first, int64_t last);

// A contiguous copy on the CPU.
std::vector<float> to_floats(const Tensor& tensor);

// Adds a tensor's bytes to the counters; undefined tensors count as nothing.
void count_tensor(MemoryStats& stats, const Tensor& tensor);

// The counters as they were last set, for readers that must not wait for a call that runs.
class KeptStats {
 public:
  void set(const MemoryStats& stats) {
    const std::lock_guard<std::mutex> lock(mutex_);
    stats_ = stats;
  }
  MemoryStats get() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return stats_;
  }

 private:
  mutable std::mutex mutex_;
  MemoryStats stats_;
};

}  // namespace vssl::engine
