// Clips that are left as decoded samples, for a device that makes floats of them (../kernels/clips.h).
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "../kernels/clips.h"
#include "picture.h"
#include "plan.h"

namespace vssl::video {

struct PackedClip {
  std::shared_ptr<const uint8_t> block;  // 64-byte aligned; null: there is no clip, zeros stand for it
  int64_t bytes = 0;
  int32_t contrasts = 0;
  bool blurs = false;
};

// The clips of a view, one a row.
struct PackedView {
  std::vector<PackedClip> clips;
  // What an engine has made of them, kept with them: filled and read under the mutex.
  std::mutex mutex;
  std::shared_ptr<const void> placed;
};

// Whether a clip can be left so: one of pictures, of frames that a device takes, with its own
// background.
bool can_pack(const ClipPlan& plan);

// The parts of the pictures that the plan reads, and its operations. `scratch` is room to write in.
PackedClip pack_clip(const std::vector<PicturePtr>& pictures, const ClipPlan& plan,
                     std::vector<uint8_t>& scratch);

}  // namespace vssl::video
