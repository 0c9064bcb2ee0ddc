#include "device_clips.h"

#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>

#include "../video/packed.h"
#include "device/devices.h"

namespace vssl::engine {

namespace {

constexpr int64_t kStep = 256;                 // clips begin at multiples of it
constexpr int64_t kRoom = int64_t{256} << 20;  // for making some of them at a time
constexpr int64_t kMostAtOnce = 4096;

int64_t whole_steps(int64_t bytes) { return (bytes + kStep - 1) / kStep * kStep; }

Element element_of(at::ScalarType type) {
  return type == at::kBFloat16 ? Element::kBf16 : type == at::kHalf ? Element::kHalf : Element::kFloat;
}

// One for each device: memory that is used on a stream stays with it.
c10::Stream copy_stream(at::Device device) {
  static std::mutex mutex;
  static std::map<at::DeviceIndex, c10::Stream> streams;
  const std::lock_guard<std::mutex> lock(mutex);
  const auto found = streams.find(device.index());
  if (found != streams.end()) return found->second;
  const c10::impl::VirtualGuardImpl guard(device.type());
  return streams.emplace(device.index(), guard.getStreamFromGlobalPool(device)).first->second;
}

ClipsShape shape_of(const video::ViewBuffer& view) {
  ClipsShape shape{};
  shape.clips = view.shape[0];
  shape.frames = static_cast<int32_t>(view.shape[1]);
  shape.height = static_cast<int32_t>(view.shape[2]);
  shape.width = static_cast<int32_t>(view.shape[3]);
  for (const video::PackedClip& clip : view.packed->clips) {
    shape.contrasts = std::max(shape.contrasts, clip.contrasts);
    shape.blurs = shape.blurs || clip.blurs;
  }
  return shape;
}

}  // namespace

DeviceClips::DeviceClips(const video::ViewBuffer& view, at::Device device)
    : device_(device), shape_(shape_of(view)), copied_(device.type()) {
  const auto& clips = view.packed->clips;
  int64_t bytes = whole_steps(static_cast<int64_t>(clips.size() * sizeof(int64_t)));
  std::vector<int64_t> offsets;
  for (const video::PackedClip& clip : clips) {
    offsets.push_back(clip.block ? bytes : -1);
    bytes += whole_steps(clip.bytes);
  }
  const Tensor slot = kernels_of(device)->slot(bytes);
  auto* const to = slot.mutable_data_ptr<uint8_t>();
  std::memcpy(to, offsets.data(), offsets.size() * sizeof(int64_t));
  for (size_t i = 0; i < clips.size(); ++i)
    if (clips[i].block)
      std::memcpy(to + offsets[i], clips[i].block.get(), static_cast<size_t>(clips[i].bytes));

  const c10::Stream stream = copy_stream(device);
  const c10::StreamGuard guard(stream);
  blocks_ = at::empty({bytes}, at::TensorOptions().dtype(at::kByte).device(device));
  blocks_.copy_(slot, /*non_blocking=*/true);
  copied_.record(stream);
}

Tensor DeviceClips::make(int64_t first, int64_t last, at::ScalarType type) const {
  const DeviceKernels* const kernels = kernels_of(device_);
  const c10::impl::VirtualGuardImpl guard(device_.type());
  const c10::Stream now = guard.getStream(device_);
  copied_.block(now);
  blocks_.record_stream(now);  // of another stream's memory: not given out again before this one is done

  ClipsShape shape = shape_;
  shape.type = element_of(type);
  const Tensor out = at::empty({last - first, shape.frames, shape.height, shape.width, 3},
                               at::TensorOptions().dtype(type).device(device_));
  shape.clips = 1;
  const auto room_of_one = static_cast<int64_t>(kernels->clips_room(shape));
  const int64_t at_once = std::clamp<int64_t>(kRoom / room_of_one, 1, kMostAtOnce);
  const auto* const blocks = static_cast<const uint8_t*>(blocks_.const_data_ptr());
  auto* const to = static_cast<uint8_t*>(out.mutable_data_ptr());
  const int64_t clip_bytes = out.numel() > 0 ? static_cast<int64_t>(out.nbytes()) / out.size(0) : 0;
  for (int64_t i = first; i < last; i += at_once) {
    shape.clips = std::min(at_once, last - i);
    const Scratch scratch(kernels->clips_room(shape), device_);
    kernels->make_clips(to + (i - first) * clip_bytes, blocks, reinterpret_cast<const int64_t*>(blocks) + i,
                        shape, scratch.room(), kernels->stream(device_));
  }
  return out.permute({0, 4, 1, 2, 3});
}

std::shared_ptr<const DeviceClips> device_clips(const video::ViewBuffer& view, at::Device device) {
  video::PackedView& packed = *view.packed;
  const std::lock_guard<std::mutex> lock(packed.mutex);
  if (!packed.placed) packed.placed = std::make_shared<const DeviceClips>(view, device);
  return std::static_pointer_cast<const DeviceClips>(packed.placed);
}

}  // namespace vssl::engine
