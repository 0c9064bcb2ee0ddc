// Batch plans (src/data/plan.ts) as C++ structs, checked once.
#pragma once

#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "../common/value.h"
#include "origin.h"
#include "video.h"

namespace vssl::video {

// In the order of their words in plan.cpp.
enum class SourceKind { kFile, kMember, kImages, kPacked, kMemory, kBytes, kSynthetic };
enum class Modality { kRgb, kDifference, kFlow, kFlowEdges };
enum class InputKind { kRgb, kTemporalMeanRemoved, kDifference };
enum class ColorKind { kBrightness, kContrast, kSaturation, kHue };

struct ColorOp {
  ColorKind kind = ColorKind::kBrightness;
  float value = 1;
};

struct FrameAugment {
  double x0 = 0, y0 = 0, x1 = 1, y1 = 1;  // fractions of the displayed picture
  bool flip = false;
  std::vector<ColorOp> color;
  bool gray = false;
  double blur = 0;  // sigma in output pixels, 0: none
  int blur_radius = 0;
  bool solarizes = false;
  float solarize = 0;
};

struct SourcePlan {
  SourceKind kind = SourceKind::kFile;
  std::string path;                                       // kFile, kMember, kPacked
  Part part;                                              // kMember
  std::vector<std::string> files;                         // kImages
  double fps = 0;                                         // kImages, kPacked, kMemory
  int64_t offset = 0, frames = 0, height = 0, width = 0;  // kPacked
  int64_t id = 0;                                         // kMemory, kBytes
  Value synthetic;                                        // kSynthetic
  bool operator==(const SourcePlan& o) const;
  std::string name() const;  // for failures: a path, or the kind
  Origin origin() const;     // kFile, kMember
};

// Number of the picture shown at time t when picture i is shown from i / fps on; below 0 before the first.
inline double slot_at_rate(double t, double fps) { return std::floor((t + 1e-6) * fps); }

// Flow that was computed beforehand: 16-bit floats (frames, height, width, 2) from byte `offset` on; field i
// is the movement from picture i to picture i + 1 in pixels of the field. It has no other movements: a clip
// whose pairs are no neighbours cannot be made of it.
struct FlowFile {
  std::string path;
  int64_t offset = 0, frames = 0, height = 0, width = 0;
  double fps = 0;
};

struct Background;

// What is done along time to a clip of pictures at last: x_t <- x_t + still (x_frame - x_t), then
// x_t <- x_t - mean times the mean of all x_t.
struct Blend {
  float still = 0, mean = 0;  // 0 to 1
  int frame = 0;
};

struct ClipPlan {
  SourcePlan source;
  Modality modality = Modality::kRgb;
  std::vector<double> times;     // T; of motion 2 T: the first pictures of the pairs, then the second ones
  std::optional<FlowFile> flow;  // of kFlow and kFlowEdges: take it from there, no picture is needed
  int height = 0, width = 0, shrink = 1;
  std::vector<FrameAugment> augment;  // 1 or T
  InputKind input = InputKind::kRgb;
  std::optional<Blend> blend;  // of pictures as they are alone
  float mean[3] = {0, 0, 0}, std[3] = {1, 1, 1};
  std::shared_ptr<const Background> background;  // null: its own

  int64_t frames() const {  // T
    return static_cast<int64_t>(modality == Modality::kRgb ? times.size() : times.size() / 2);
  }
};

// What is laid under a clip where it is no foreground (foreground.h), before colour. Both as cropped and
// flipped.
struct Background {
  ClipPlan clip;  // source, times, shrink, and a crop and a flip
  double share = 0.5;
  bool refined = true;
};

// Whether both take the same pictures of the same source.
bool same_pictures(const ClipPlan& a, const ClipPlan& b);

// Clips still to be made, or an array, whose values are there.
struct ViewPlan {
  ViewBuffer buffer;            // of clips without data
  std::vector<ClipPlan> clips;  // one a row
};

struct BatchPlan {
  int64_t samples = 0;
  std::vector<ViewPlan> views;
  std::vector<ViewBuffer> side;
  std::vector<int64_t> slots;  // empty: row j goes to sample j
};

// All throw ERR_VSSL_INVALID_ARGUMENT that names the entry, e.g. "views[0].clips[3].times".
SourcePlan parse_source(const Value& v, const std::string& name);
ClipPlan parse_clip(const Value& v, const std::string& name);
BatchPlan parse_batch_plan(const Value& plan);

}  // namespace vssl::video
