#include "augment.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "resize.h"

namespace vssl::video {

namespace {

// One frame's planes R, G, B, each height x width; after gray only the first one counts.
struct Planes {
  float* channel[3];
  int count = 3;
};

// Mean over many values: sixteen float lanes a thousand values at a time, then double. Same order on every
// CPU.
double sum_of(const float* x, int64_t n, const RowOps& ops) {
  constexpr int64_t kChunk = 1024;
  double sum = 0;
  for (int64_t i = 0; i < n; i += kChunk) {
    float lanes[16] = {0};
    ops.sum_lanes(lanes, x + i, static_cast<int>(std::min(kChunk, n - i)));
    for (const float lane : lanes) sum += lane;
  }
  return sum;
}

class ClipAugmenter {
 public:
  ClipAugmenter(float* out, const std::vector<PicturePtr>& pictures, const ClipPlan& plan,
                AugmentScratch& scratch, const RowOps& ops)
      : out_(out),
        pictures_(pictures),
        plan_(plan),
        scratch_(scratch),
        ops_(ops),
        resizer_(ops),
        frames_(static_cast<int>(plan.frames())),
        area_(plan.height * plan.width) {
    for (int c = 0; c < 3; ++c) {
      // Mean removal and differences come before the division by std, so they are done on plain values.
      const bool plain = plan.input != InputKind::kRgb;
      scale_[c] = plain ? 1.0f : 1.0f / plan.std[c];
      offset_[c] = plain ? 0.0f : -plan.mean[c] / plan.std[c];
    }
  }

  void run(const std::vector<PicturePtr>* behind) {
    if (plan_.background && behind) lay_background(*plan_.background, *behind);
    const bool shared = plan_.augment.size() == 1;
    const auto& color = plan_.augment.front().color;
    const bool whole_clip = shared && std::any_of(color.begin(), color.end(), [](const ColorOp& op) {
                              return op.kind == ColorKind::kContrast;
                            });
    if (whole_clip) {
      run_with_clip_means();
    } else {
      for (int t = 0; t < frames_; ++t) run_frame(t, plan_.augment[shared ? 0 : t]);
    }
    if (plan_.input == InputKind::kTemporalMeanRemoved) remove_temporal_mean();
    if (plan_.input == InputKind::kDifference) take_differences();
    if (plan_.blend) blend(*plan_.blend);
  }

 private:
  Planes planes_in(float* p) const { return {{p, p + area_, p + 2 * area_}, 3}; }

  void run_frame(int t, const FrameAugment& a) {
    const bool direct = a.color.empty() && !a.gray && a.blur <= 0 && !a.solarizes && !laid_;
    // Without further operations a row goes straight to the output.
    scratch_.planes.resize(direct ? 3 * static_cast<size_t>(plan_.width) : 3 * area_);
    if (direct) {
      resizer_.prepare(*pictures_[t], a, plan_.height, plan_.width);
      float* r = scratch_.planes.data();
      float *g = r + plan_.width, *b = g + plan_.width;
      for (int y = 0; y < plan_.height; ++y) {
        resizer_.row(r, g, b, *pictures_[t], y);
        ops_.store(frame_out(t) + static_cast<size_t>(y) * plan_.width * 3, r, g, b, scale_, offset_,
                   plan_.width);
      }
      return;
    }
    const Planes planes = planes_in(scratch_.planes.data());
    resize(planes, t, a);
    double sums[3];
    for (const ColorOp& op : a.color) {
      if (op.kind == ColorKind::kContrast) {
        for (int c = 0; c < 3; ++c) sums[c] = sum_of(planes.channel[c], area_, ops_);
      }
      apply_color(planes, op, sums, static_cast<double>(area_));
    }
    finish(planes, t, a);
  }

  // Contrast needs the mean of the whole clip: each sweep over the frames goes from one contrast operation to
  // the next, or to the end. In between, the planes of a frame wait in its place in the output.
  void run_with_clip_means() {
    const FrameAugment& a = plan_.augment.front();
    scratch_.planes.resize(3 * area_);
    const double count = static_cast<double>(area_) * frames_;
    const ColorOp* contrast = nullptr;  // the one that begins this sweep
    double sums[3] = {0, 0, 0};
    for (size_t next = 0;;) {
      size_t stop = next;
      while (stop < a.color.size() && a.color[stop].kind != ColorKind::kContrast) ++stop;
      const bool last = stop == a.color.size();
      double new_sums[3] = {0, 0, 0};
      for (int t = 0; t < frames_; ++t) {
        const Planes planes = planes_in(last ? scratch_.planes.data() : frame_out(t));
        if (contrast && last) std::memcpy(planes.channel[0], frame_out(t), sizeof(float) * 3 * area_);
        if (contrast) {
          apply_color(planes, *contrast, sums, count);
        } else {
          resize(planes, t, a);
        }
        for (size_t i = next; i < stop; ++i) apply_color(planes, a.color[i], nullptr, 0);
        if (last) {
          finish(planes, t, a);
        } else {
          for (int c = 0; c < 3; ++c) new_sums[c] += sum_of(planes.channel[c], area_, ops_);
        }
      }
      if (last) return;
      std::copy(new_sums, new_sums + 3, sums);
      contrast = &a.color[stop];
      next = stop + 1;
    }
  }

  // Makes the frames with the background under them; as those of a contrast, they wait in the output.
  void lay_background(const Background& background, const std::vector<PicturePtr>& behind) {
    Foreground foreground(plan_.height, plan_.width, scratch_.foreground, ops_);
    for (int t = 0; t < frames_; ++t) {
      resize(planes_in(frame_out(t)), t, plan_.augment[plan_.augment.size() == 1 ? 0 : t]);
      foreground.add(frame_out(t));
    }
    laid_ = true;
    const int32_t* const keeps = foreground.find(background.share, background.refined);
    if (!keeps) return;
    const int w = plan_.width;
    scratch_.planes.resize(3 * static_cast<size_t>(w));
    float* const r = scratch_.planes.data();
    Resizer under(ops_);
    for (int t = 0; t < frames_; ++t) {
      under.prepare(*behind[t], background.clip.augment.front(), plan_.height, w);
      const Planes planes = planes_in(frame_out(t));
      for (int y = 0; y < plan_.height; ++y) {
        const size_t at = static_cast<size_t>(y) * w;
        if (std::find(keeps + at, keeps + at + w, 0) == keeps + at + w) continue;
        under.row(r, r + w, r + 2 * w, *behind[t], y);
        for (int c = 0; c < 3; ++c) ops_.lay(planes.channel[c] + at, r + c * w, keeps + at, w);
      }
    }
  }

  void resize(const Planes& planes, int t, const FrameAugment& a) {
    if (laid_) {
      if (planes.channel[0] != frame_out(t))
        std::memcpy(planes.channel[0], frame_out(t), sizeof(float) * 3 * area_);
      return;
    }
    resizer_.prepare(*pictures_[t], a, plan_.height, plan_.width);
    for (int y = 0; y < plan_.height; ++y) {
      const size_t at = static_cast<size_t>(y) * plan_.width;
      resizer_.row(planes.channel[0] + at, planes.channel[1] + at, planes.channel[2] + at, *pictures_[t], y);
    }
  }

  void apply_color(const Planes& planes, const ColorOp& op, const double* sums, double count) {
    float* const* p = planes.channel;
    const int n = static_cast<int>(area_);
    switch (op.kind) {
      case ColorKind::kBrightness:
        for (int c = 0; c < 3; ++c) ops_.affine(p[c], op.value, 0, n);
        break;
      case ColorKind::kContrast:
        for (int c = 0; c < 3; ++c) ops_.contrast(p[c], static_cast<float>(sums[c] / count), op.value, n);
        break;
      case ColorKind::kSaturation:
        ops_.saturation(p[0], p[1], p[2], op.value, n);
        break;
      case ColorKind::kHue:
        ops_.hue(p[0], p[1], p[2], op.value * 6, n);
        break;
    }
  }

  // Gray, blur, solarize, normalisation and the way into the output.
  void finish(Planes planes, int t, const FrameAugment& a) {
    float** p = planes.channel;
    if (a.gray) {
      ops_.luma(p[0], p[1], p[2], static_cast<int>(area_));
      planes.count = 1;
    }
    if (a.blur > 0 && a.blur_radius > 0) blur(planes, a);
    if (a.solarizes) {
      for (int c = 0; c < planes.count; ++c) ops_.solarize(p[c], a.solarize, static_cast<int>(area_));
    }
    if (a.gray) p[1] = p[2] = p[0];
    ops_.store(frame_out(t), p[0], p[1], p[2], scale_, offset_, static_cast<int>(area_));
  }

  void make_taps(const FrameAugment& a) {
    if (taps_blur_ == a.blur && static_cast<int>(taps_.size()) == a.blur_radius + 1) return;
    blur_taps(taps_, a.blur, a.blur_radius);
    taps_blur_ = a.blur;
  }

  // Separable, zero outside the picture as TensorFlow's SAME padding has it.
  void blur(const Planes& planes, const FrameAugment& a) {
    make_taps(a);
    const int h = plan_.height, w = plan_.width, radius = a.blur_radius;
    scratch_.padded.assign(static_cast<size_t>(w) + 2 * radius, 0.0f);
    scratch_.blurred.resize(area_);
    scratch_.rows.assign(static_cast<size_t>(w), 0.0f);  // the zero row
    row_pointers_.resize(2 * static_cast<size_t>(radius) + 1);
    for (int c = 0; c < planes.count; ++c) {
      float* plane = planes.channel[c];
      for (int y = 0; y < h; ++y) {
        std::memcpy(scratch_.padded.data() + radius, plane + static_cast<size_t>(y) * w, sizeof(float) * w);
        ops_.blur_row(scratch_.blurred.data() + static_cast<size_t>(y) * w, scratch_.padded.data() + radius,
                      taps_.data(), radius, w);
      }
      for (int y = 0; y < h; ++y) {
        for (int k = -radius; k <= radius; ++k) {
          const bool inside = y + k >= 0 && y + k < h;
          row_pointers_[k + radius] =
              inside ? scratch_.blurred.data() + static_cast<size_t>(y + k) * w : scratch_.rows.data();
        }
        ops_.blur_column(plane + static_cast<size_t>(y) * w, row_pointers_.data(), taps_.data(), radius, w);
      }
    }
  }

  // One factor per float of a frame: 1 / std of its channel.
  const float* channel_scale() {
    scratch_.scale.resize(3 * area_);
    for (size_t i = 0; i < 3 * area_; i += 3) {
      for (int c = 0; c < 3; ++c) scratch_.scale[i + c] = 1.0f / plan_.std[c];
    }
    return scratch_.scale.data();
  }

  void remove_temporal_mean() {
    const int n = static_cast<int>(3 * area_);
    const float* scale = channel_scale();
    scratch_.mean.assign(3 * area_, 0.0f);
    for (int t = 0; t < frames_; ++t) ops_.add(scratch_.mean.data(), frame_out(t), n);
    const float share = 1.0f / static_cast<float>(frames_);
    for (int t = 0; t < frames_; ++t) {
      ops_.subtract(frame_out(t), frame_out(t), scratch_.mean.data(), share, scale, n);
    }
  }

  // Frame t becomes frame t + 1 minus frame t; the last one repeats the one before it, a single frame becomes
  // zero.
  void take_differences() {
    const int n = static_cast<int>(3 * area_);
    const float* scale = channel_scale();
    if (frames_ == 1) {
      std::fill(out_, out_ + n, 0.0f);
      return;
    }
    scratch_.mean.resize(3 * area_);
    for (int t = 0; t + 1 < frames_; ++t) {
      std::memcpy(scratch_.mean.data(), frame_out(t), sizeof(float) * n);
      ops_.subtract(frame_out(t), frame_out(t + 1), scratch_.mean.data(), 1, scale, n);
    }
    std::memcpy(frame_out(frames_ - 1), frame_out(frames_ - 2), sizeof(float) * n);
  }

  // In the order of kernels/clips.cpp: for each value the sum over frames, then the frames.
  void blend(const Blend& b) {
    const size_t n = 3 * area_;
    const float share = b.mean / static_cast<float>(frames_);
    scratch_.mean.resize(n);
    std::memcpy(scratch_.mean.data(), frame_out(b.frame), sizeof(float) * n);
    for (int t = 0; t < frames_; ++t) {
      float* const x = frame_out(t);
      for (size_t i = 0; i < n; ++i) x[i] += b.still * (scratch_.mean[i] - x[i]);
    }
    if (b.mean == 0) return;
    std::fill(scratch_.mean.begin(), scratch_.mean.end(), 0.0f);
    for (int t = 0; t < frames_; ++t) {
      const float* const x = frame_out(t);
      for (size_t i = 0; i < n; ++i) scratch_.mean[i] += x[i];
    }
    for (int t = 0; t < frames_; ++t) {
      float* const x = frame_out(t);
      for (size_t i = 0; i < n; ++i) x[i] -= scratch_.mean[i] * share;
    }
  }

  float* frame_out(int t) { return out_ + static_cast<size_t>(t) * 3 * area_; }

  float* out_;
  const std::vector<PicturePtr>& pictures_;
  const ClipPlan& plan_;
  AugmentScratch& scratch_;
  const RowOps& ops_;
  Resizer resizer_;
  bool laid_ = false;  // the frames are made, and wait in the output
  const int frames_;
  const size_t area_;  // of one plane
  float scale_[3], offset_[3];
  std::vector<float> taps_;  // of the centre and one side
  double taps_blur_ = -1;
  std::vector<const float*> row_pointers_;
};

}  // namespace

void blur_taps(std::vector<float>& taps, double sigma, int radius) {
  std::vector<double> exact(static_cast<size_t>(radius) + 1);
  double sum = 0;
  for (int k = 0; k <= radius; ++k) {
    exact[k] = std::exp(-0.5 * k * k / (sigma * sigma));
    sum += k == 0 ? exact[k] : 2 * exact[k];
  }
  taps.resize(exact.size());
  for (size_t k = 0; k < exact.size(); ++k) taps[k] = static_cast<float>(exact[k] / sum);
}

void augment_clip(float* out, const std::vector<PicturePtr>& pictures, const ClipPlan& plan,
                  AugmentScratch& scratch, const RowOps& ops, const std::vector<PicturePtr>* behind) {
  ClipAugmenter(out, pictures, plan, scratch, ops).run(behind);
}

}  // namespace vssl::video
