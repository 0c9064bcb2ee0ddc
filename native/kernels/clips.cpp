#include "clips.h"

#include <algorithm>

#include "clip_pixels.h"

namespace vssl {

namespace {

// As the augmentation pass adds: sixteen float lanes a thousand values at a time, then double.
double sum_of(const float* x, int64_t n) {
  double sum = 0;
  for (int64_t begin = 0; begin < n; begin += 1024) {
    float lanes[16] = {0};
    const int64_t end = std::min(begin + 1024, n);
    for (int64_t i = begin; i < end; ++i) lanes[(i - begin) % 16] += x[i];
    for (const float lane : lanes) sum += lane;
  }
  return sum;
}

// A clip's frames as planes (T, 3, H W) on their way through the operations.
class PlainClip {
 public:
  explicit PlainClip(const uint8_t* block)
      : block_(block), h_(clip::header(block)), area_(int64_t{h_.height} * h_.width) {
    planes_.resize(static_cast<size_t>(3 * area_ * h_.frames));
  }

  void color() {
    const int sweeps = clip_contrasts(block_) + 1;
    for (int sweep = 0; sweep < sweeps; ++sweep) {
      take_means();
      for (int t = 0; t < h_.frames; ++t) color_frame(t, sweep);
    }
  }
  void finish() {
    for (int t = 0; t < h_.frames; ++t) {
      const ClipFrame& f = clip::frame(block_, t);
      const int channels = f.gray ? 1 : 3;
      for (int c = 0; f.blur_radius > 0 && c < channels; ++c) blur(plane(t, c), f);
      for (int c = 0; c < 3; ++c)
        for (int64_t i = 0; i < area_; ++i)
          plane(t, c)[i] = f.gray && c > 0 ? plane(t, 0)[i] : clip::solarized(f, plane(t, c)[i]);
    }
  }
  void store(float* out) {
    for (int64_t i = 0; i < area_; ++i)
      for (int c = 0; c < 3; ++c) store_pixel(out + 3 * i + c, c, i);
  }

 private:
  float* plane(int t, int c) { return planes_.data() + (int64_t{t} * 3 + c) * area_; }

  void take_means() {
    sums_.assign(static_cast<size_t>(3 * h_.frames), 0.0);
    for (int t = 0; t < h_.frames; ++t)
      for (int c = 0; c < 3; ++c) sums_[3 * t + c] = sum_of(plane(t, c), area_);
    if (!h_.whole_clip) return;
    for (int c = 0; c < 3; ++c) {
      double sum = 0;
      for (int t = 0; t < h_.frames; ++t) sum += sums_[3 * t + c];
      for (int t = 0; t < h_.frames; ++t) sums_[3 * t + c] = sum;
    }
  }

  void color_frame(int t, int sweep) {
    const ClipFrame& f = clip::frame(block_, t);
    const int begin = clip::sweep_begin(block_, f, sweep), end = clip::sweep_begin(block_, f, sweep + 1);
    if (sweep > 0 && begin == f.op_count) return;
    const double count = static_cast<double>(area_) * (h_.whole_clip ? h_.frames : 1);
    float means[3];
    for (int c = 0; c < 3; ++c) means[c] = static_cast<float>(sums_[3 * t + c] / count);
    for (int64_t i = 0; i < area_; ++i) {
      clip::Rgb p = sweep == 0 ? clip::resized(block_, f, h_.height, h_.width, static_cast<int>(i / h_.width),
                                               static_cast<int>(i % h_.width))
                               : clip::Rgb{plane(t, 0)[i], plane(t, 1)[i], plane(t, 2)[i]};
      for (int k = begin; k < end; ++k) p = clip::colored(p, clip::at<ClipOp>(block_, f.op_list)[k], means);
      if (end == f.op_count && f.gray) p.r = clip::luma(p);
      plane(t, 0)[i] = p.r;
      plane(t, 1)[i] = p.g;
      plane(t, 2)[i] = p.b;
    }
  }

  void blur(float* p, const ClipFrame& f) {
    const float* const taps = clip::at<float>(block_, f.taps);
    const std::vector<float> before(p, p + area_);
    std::vector<float> rows(before.size());
    const auto line = [&](float* out, const float* from, int x, int y, int dx, int dy) {
      const auto read = [&](int k) {
        const int column = x + k * dx, row = y + k * dy;
        const bool inside = column >= 0 && column < h_.width && row >= 0 && row < h_.height;
        return inside ? from[static_cast<int64_t>(row) * h_.width + column] : 0.0f;
      };
      float a = read(0) * taps[0];
      for (int k = 1; k <= f.blur_radius; ++k) a += taps[k] * (read(-k) + read(k));
      out[static_cast<int64_t>(y) * h_.width + x] = a;
    };
    for (int y = 0; y < h_.height; ++y)
      for (int x = 0; x < h_.width; ++x) line(rows.data(), before.data(), x, y, 1, 0);
    for (int y = 0; y < h_.height; ++y)
      for (int x = 0; x < h_.width; ++x) line(p, rows.data(), x, y, 0, 1);
  }

  // out: channel c of pixel i in the first frame.
  void store_pixel(float* out, int c, int64_t i) {
    const int64_t step = 3 * area_;
    const auto kept = [&](int t) { return plane(t, c)[i] * h_.scale[c] + h_.offset[c]; };
    const bool blends = h_.still != 0 || h_.mean_share != 0;
    const float still = kept(h_.still_frame);
    const auto value = [&](int t) {
      const float x = kept(t);
      return blends ? x + h_.still * (still - x) : x;
    };
    float mean = 0;
    for (int t = 0; t < h_.frames; ++t) mean += value(t);
    const float share = 1.0f / static_cast<float>(h_.frames);
    for (int t = 0; t < h_.frames; ++t) {
      switch (h_.input) {
        case ClipInput::kRgb:
          out[t * step] = h_.mean_share != 0 ? value(t) - mean * h_.mean_share : value(t);
          break;
        case ClipInput::kTemporalMeanRemoved:
          out[t * step] = (value(t) - mean * share) * h_.inverse_std[c];
          break;
        case ClipInput::kDifference: {
          const int last = std::min(t + 1, h_.frames - 1);
          out[t * step] = last == 0 ? 0.0f : (value(last) - value(last - 1)) * h_.inverse_std[c];
        }
      }
    }
  }

  const uint8_t* block_;
  const ClipHeader& h_;
  const int64_t area_;
  std::vector<float> planes_;
  std::vector<double> sums_;  // (T, 3)
};

}  // namespace

int32_t clip_contrasts(const uint8_t* block) {
  int32_t most = 0;
  for (int t = 0; t < clip::header(block).frames; ++t) {
    const ClipFrame& f = clip::frame(block, t);
    const ClipOp* const ops = clip::at<ClipOp>(block, f.op_list);
    most = std::max(most, static_cast<int32_t>(std::count_if(ops, ops + f.op_count, [](const ClipOp& op) {
                      return op.kind == ClipOpKind::kContrast;
                    })));
  }
  return most;
}

bool clip_blurs(const uint8_t* block) {
  for (int t = 0; t < clip::header(block).frames; ++t)
    if (clip::frame(block, t).blur_radius > 0) return true;
  return false;
}

void make_clip(float* out, const uint8_t* block) {
  PlainClip made(block);
  made.color();
  made.finish();
  made.store(out);
}

}  // namespace vssl
