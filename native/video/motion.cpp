#include "motion.h"

#include <algorithm>
#include <cmath>

#include "fetch.h"
#include "resize.h"

namespace vssl::video {

namespace {

constexpr float kMostEdge = 10;

const FrameAugment& augment_of(const ClipPlan& plan, int64_t t) {
  return plan.augment[plan.augment.size() == 1 ? 0 : static_cast<size_t>(t)];
}

// One picture's planes R, G, B, one after another.
void resize_picture(std::vector<float>& planes, Resizer& resizer, const Picture& picture,
                    const FrameAugment& a, const ClipPlan& plan) {
  const size_t width = static_cast<size_t>(plan.width), area = width * plan.height;
  planes.resize(3 * area);
  resizer.prepare(picture, a, plan.height, plan.width);
  for (int y = 0; y < plan.height; ++y) {
    float* r = planes.data() + static_cast<size_t>(y) * width;
    resizer.row(r, r + area, r + 2 * area, picture, y);
  }
}

// The field cropped, resized and flipped like a picture, in pixels of the output: u and v are planes.
void resize_flow(std::vector<float>& u, std::vector<float>& v, const FlowField& field, const FrameAugment& a,
                 const ClipPlan& plan) {
  AxisTable xs, ys;
  make_axis(xs, a.x0, a.x1, field.extent_x, field.width, plan.width, a.flip);
  make_axis(ys, a.y0, a.y1, field.extent_y, field.height, plan.height, false);
  const auto scale_y = static_cast<float>(plan.height / ((a.y1 - a.y0) * field.extent_y));
  auto scale_x = static_cast<float>(plan.width / ((a.x1 - a.x0) * field.extent_x));
  if (a.flip) scale_x = -scale_x;
  const size_t area = static_cast<size_t>(plan.width) * plan.height;
  u.resize(area);
  v.resize(area);
  size_t i = 0;
  for (int y = 0; y < plan.height; ++y) {
    const int above = ys.first + ys.index[y], below = std::min(above + 1, field.height - 1);
    const float* top = field.uv.data() + 2 * static_cast<size_t>(above) * field.width;
    const float* bottom = field.uv.data() + 2 * static_cast<size_t>(below) * field.width;
    for (int x = 0; x < plan.width; ++x, ++i) {
      const int left = xs.first + xs.index[x], right = std::min(left + 1, field.width - 1);
      const auto at = [&](int c) {
        const float first = top[2 * left + c] + (top[2 * right + c] - top[2 * left + c]) * xs.weight[x];
        const float second =
            bottom[2 * left + c] + (bottom[2 * right + c] - bottom[2 * left + c]) * xs.weight[x];
        return first + (second - first) * ys.weight[y];
      };
      u[i] = at(0) * scale_x;
      v[i] = at(1) * scale_y;
    }
  }
}

// Adds the squares of both Sobel gradients of a plane.
void add_sobel(float* sum, const float* x, int height, int width) {
  for (int i = 0; i < height; ++i) {
    const float* above = x + static_cast<size_t>(std::max(i - 1, 0)) * width;
    const float* row = x + static_cast<size_t>(i) * width;
    const float* below = x + static_cast<size_t>(std::min(i + 1, height - 1)) * width;
    for (int j = 0; j < width; ++j) {
      const int l = std::max(j - 1, 0), r = std::min(j + 1, width - 1);
      const float dx = (above[r] - above[l]) + 2 * (row[r] - row[l]) + (below[r] - below[l]);
      const float dy = (below[l] - above[l]) + 2 * (below[j] - above[j]) + (below[r] - above[r]);
      sum[static_cast<size_t>(i) * width + j] += dx * dx + dy * dy;
    }
  }
}

}  // namespace

void motion_clip(float* out, const std::vector<PicturePtr>& pictures, const ClipPlan& plan,
                 MotionScratch& scratch, const RowOps& ops) {
  const auto area = static_cast<int>(plan.height * plan.width);
  const bool differs = plan.modality == Modality::kDifference;
  float scale[3], offset[3];
  for (int c = 0; c < 3; ++c) {
    scale[c] = 1 / plan.std[c];
    offset[c] = differs ? 0 : -plan.mean[c] / plan.std[c];
  }
  Resizer resizer(ops);
  const int64_t frames = plan.frames();
  for (int64_t t = 0; t < frames; ++t) {
    const FrameAugment& a = augment_of(plan, t);
    float* frame = out + 3 * t * area;
    if (differs) {
      resize_picture(scratch.first, resizer, *pictures[t], a, plan);
      resize_picture(scratch.rest, resizer, *pictures[frames + t], a, plan);
      for (size_t i = 0; i < scratch.rest.size(); ++i) scratch.rest[i] -= scratch.first[i];
      const float* p = scratch.rest.data();
      ops.store(frame, p, p + area, p + 2 * static_cast<size_t>(area), scale, offset, area);
      continue;
    }
    if (plan.flow) {
      const double from = slot_at_rate(plan.times[t], plan.flow->fps);
      const bool moves = slot_at_rate(plan.times[frames + t], plan.flow->fps) > from;
      const double last = static_cast<double>(plan.flow->frames - 1);
      read_flow(scratch.field, *plan.flow, static_cast<int64_t>(std::min(from, last)));
      if (!moves) std::fill(scratch.field.uv.begin(), scratch.field.uv.end(), 0.0f);
    } else {
      compute_flow(scratch.field, *pictures[t], *pictures[frames + t]);
    }
    resize_flow(scratch.u, scratch.v, scratch.field, a, plan);
    scratch.rest.assign(static_cast<size_t>(area), 0.0f);
    float *u = scratch.u.data(), *v = scratch.v.data(), *rest = scratch.rest.data();
    if (plan.modality == Modality::kFlow) {
      for (int i = 0; i < area; ++i) rest[i] = std::sqrt(u[i] * u[i] + v[i] * v[i]);
      ops.store(frame, u, v, rest, scale, offset, area);
      continue;
    }
    add_sobel(rest, u, plan.height, plan.width);
    add_sobel(rest, v, plan.height, plan.width);
    for (int i = 0; i < area; ++i) rest[i] = std::min(std::sqrt(rest[i]), kMostEdge) / kMostEdge;
    ops.store(frame, rest, rest, rest, scale, offset, area);
  }
}

}  // namespace vssl::video
