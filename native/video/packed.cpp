#include "packed.h"

#include <algorithm>
#include <cstring>

#include "../common/kept_memory.h"
#include "augment.h"
#include "resize.h"

namespace vssl::video {

namespace {

constexpr int64_t kMostFrames = 2000;

// Writes one clip. Tables and samples that frames have in common are written once.
class Packer {
 public:
  Packer(std::vector<uint8_t>& bytes, const ClipPlan& plan) : block_(bytes), plan_(plan) {}

  void pack(const std::vector<PicturePtr>& pictures) {
    const ClipHeader empty{};
    block_.add(&empty, 1);
    std::vector<ClipFrame> frames;
    for (size_t t = 0; t < pictures.size(); ++t) {
      const FrameAugment& a = plan_.augment.size() == 1 ? plan_.augment[0] : plan_.augment[t];
      ClipFrame frame{};
      set_colors(frame, *pictures[t]);
      set_operations(frame, a);
      set_planes(frame, pictures[t], a);
      frames.push_back(frame);
    }
    ClipHeader h = header();
    h.frame_list = block_.add(frames.data(), static_cast<int64_t>(frames.size()));
    block_.put(0, h);
  }

 private:
  // Samples that are in the block: of a picture's part, cut by these tables.
  struct Cut {
    PicturePtr picture;
    int tables;
    ClipPlane plane[3];
  };

  ClipHeader header() const {
    ClipHeader h{};
    h.frames = static_cast<int32_t>(plan_.frames());
    h.height = plan_.height;
    h.width = plan_.width;
    h.input = static_cast<ClipInput>(plan_.input);
    h.whole_clip = plan_.augment.size() == 1;
    if (plan_.blend) {
      h.still = plan_.blend->still;
      h.still_frame = plan_.blend->frame;
      h.mean_share = plan_.blend->mean / static_cast<float>(plan_.frames());
    }
    const bool plain = plan_.input != InputKind::kRgb;
    for (int c = 0; c < 3; ++c) {
      h.scale[c] = plain ? 1.0f : 1.0f / plan_.std[c];
      h.offset[c] = plain ? 0.0f : -plan_.mean[c] / plan_.std[c];
      h.inverse_std[c] = 1.0f / plan_.std[c];
    }
    return h;
  }

  static void set_colors(ClipFrame& frame, const Picture& picture) {
    const YuvCoefficients c = color_of_samples(picture);
    frame.colors = static_cast<ClipColors>(picture.model);
    frame.luma = c.ys;
    frame.dark = c.yo;
    frame.rv = c.rv;
    frame.gu = c.gu;
    frame.gv = c.gv;
    frame.bu = c.bu;
  }

  void set_operations(ClipFrame& frame, const FrameAugment& a) {
    if (operations_of_ != &a) {
      operations_of_ = &a;
      std::vector<ClipOp> ops;
      for (const ColorOp& op : a.color)
        ops.push_back(
            {static_cast<ClipOpKind>(op.kind), op.kind == ColorKind::kHue ? op.value * 6 : op.value});
      op_list_ = block_.add(ops.data(), static_cast<int64_t>(ops.size()));
      std::vector<float> taps;
      if (blurs(a)) blur_taps(taps, a.blur, a.blur_radius);
      taps_ = block_.add(taps.data(), static_cast<int64_t>(taps.size()));
    }
    frame.op_list = op_list_;
    frame.op_count = static_cast<int32_t>(a.color.size());
    frame.taps = taps_;
    frame.blur_radius = blurs(a) ? a.blur_radius : 0;
    frame.gray = a.gray;
    frame.solarizes = a.solarizes;
    frame.solarize = a.solarize;
  }
  static bool blurs(const FrameAugment& a) { return a.blur > 0 && a.blur_radius > 0; }

  void set_planes(ClipFrame& frame, const PicturePtr& picture, const FrameAugment& a) {
    take_tables(*picture, a);
    for (const Cut& cut : cuts_) {
      if (cut.picture != picture || cut.tables != table_number_) continue;
      std::copy(cut.plane, cut.plane + 3, frame.plane);
      return;
    }
    for (int p = 0; p < picture->planes; ++p) {
      const AxisTable &x = axes_.x[p], &y = axes_.y[p];
      ClipPlane& plane = frame.plane[p];
      plane.lines = lines_[p];
      plane.columns = columns_[p];
      plane.width = x.count;
      plane.height = y.count;
      plane.samples = block_.add_samples(picture->row(p, y.first) + x.first, picture->plane[p].width,
                                         plane.width, plane.height);
    }
    cuts_.push_back({picture, table_number_, {frame.plane[0], frame.plane[1], frame.plane[2]}});
  }

  void take_tables(const Picture& picture, const FrameAugment& a) {
    if (!axes_.prepare(picture, a, plan_.height, plan_.width)) return;
    ++table_number_;
    for (int p = 0; p < picture.planes; ++p) {
      const AxisTable &x = axes_.x[p], &y = axes_.y[p];
      columns_[p] = block_.add_axis(x.index.data(), x.weight.data(), plan_.width);
      lines_[p] = block_.add_axis(y.index.data(), y.weight.data(), plan_.height);
    }
  }

  ClipBlock block_;
  const ClipPlan& plan_;
  PictureAxes axes_;
  int64_t columns_[3] = {}, lines_[3] = {};  // where their tables are in the block
  int table_number_ = -1;
  std::vector<Cut> cuts_;
  const FrameAugment* operations_of_ = nullptr;
  int64_t op_list_ = 0, taps_ = 0;
};

}  // namespace

bool can_pack(const ClipPlan& plan) {
  return plan.modality == Modality::kRgb && plan.frames() <= kMostFrames && !plan.background;
}

PackedClip pack_clip(const std::vector<PicturePtr>& pictures, const ClipPlan& plan,
                     std::vector<uint8_t>& scratch) {
  Packer(scratch, plan).pack(pictures);
  PackedClip clip;
  clip.bytes = static_cast<int64_t>(scratch.size());
  auto* const memory = static_cast<uint8_t*>(take_memory(scratch.size()));
  clip.block = {memory, [](const uint8_t* block) { give_memory(const_cast<uint8_t*>(block)); }};
  std::memcpy(memory, scratch.data(), scratch.size());
  clip.contrasts = clip_contrasts(memory);
  clip.blurs = clip_blurs(memory);
  return clip;
}

}  // namespace vssl::video
