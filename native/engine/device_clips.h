// Clips in a device's memory as decoded samples, from which the device makes floats: ../kernels/clips.h.
#pragma once

#include <c10/core/Event.h>

#include <memory>

#include "../kernels/clips.h"
#include "../video/video.h"
#include "tensor.h"

namespace vssl::engine {

class DeviceClips {
 public:
  // What is packed of the view, on its way to the device when this returns: out of pinned memory, on a stream
  // of its own, beside whatever the device does.
  DeviceClips(const video::ViewBuffer& view, at::Device device);

  // Rows [first, last) as (n, 3, T, H, W), channels-last, of fp32, bf16 or fp16; in the order of the current
  // stream.
  Tensor make(int64_t first, int64_t last, at::ScalarType type) const;

 private:
  const at::Device device_;
  ClipsShape shape_;
  Tensor blocks_;  // where each clip begins, then the clips
  c10::Event copied_;
};

// Of a view that is packed, made once for each batch. From any thread.
std::shared_ptr<const DeviceClips> device_clips(const video::ViewBuffer& view, at::Device device);

}  // namespace vssl::engine
