#include "resize.h"

#include <algorithm>
#include <cmath>

namespace vssl::video {

namespace {

constexpr int kReadable = 32;  // floats past a row's end that RowOps::resample may read

}  // namespace

void make_axis(AxisTable& table, double lo, double hi, double extent, int samples, int n, bool flip) {
  table.index.resize(static_cast<size_t>(n));
  table.weight.resize(static_cast<size_t>(n));
  int lowest = samples, highest = 0;
  for (int i = 0; i < n; ++i) {
    const int j = flip ? n - 1 - i : i;
    const double at = (lo + (j + 0.5) * (hi - lo) / n) * extent - 0.5;
    const double clamped = std::min(std::max(at, 0.0), static_cast<double>(samples - 1));
    const int index = std::min(static_cast<int>(clamped), std::max(samples - 2, 0));
    table.index[i] = index;
    table.weight[i] = static_cast<float>(clamped - index);
    lowest = std::min(lowest, index);
    highest = std::max(highest, index);
  }
  table.first = lowest;
  table.count = std::min(highest + 2, samples) - lowest;
  table.span = 0;
  for (int i = 0; i < n; ++i) table.index[i] -= lowest;
  for (int i = 0; i < n; i += 16) {
    const int last = std::min(i + 15, n - 1);
    table.span = std::max(table.span, std::abs(table.index[last] - table.index[i]));
  }
}

bool PictureAxes::prepare(const Picture& picture, const FrameAugment& a, int height, int width) {
  bool same = ready_ && planes_ == picture.planes && height_ == height && width_ == width &&
              flip_ == a.flip && box_[0] == a.x0 && box_[1] == a.y0 && box_[2] == a.x1 && box_[3] == a.y1;
  for (int p = 0; p < picture.planes; ++p) {
    const Picture::Plane& plane = picture.plane[p];
    const Geometry g{plane.width, plane.height, plane.extent_x, plane.extent_y};
    same = same && geometry_[p] == g;
    geometry_[p] = g;
  }
  if (same) return false;
  planes_ = picture.planes;
  height_ = height;
  width_ = width;
  flip_ = a.flip;
  box_[0] = a.x0, box_[1] = a.y0, box_[2] = a.x1, box_[3] = a.y1;
  ready_ = true;
  for (int p = 0; p < planes_; ++p) {
    const Geometry& g = geometry_[p];
    make_axis(x[p], a.x0, a.x1, g.extent_x, g.width, width, a.flip);
    make_axis(y[p], a.y0, a.y1, g.extent_y, g.height, height, false);
  }
  return true;
}

void Resizer::prepare(const Picture& picture, const FrameAugment& augment, int height, int width) {
  if (!axes_.prepare(picture, augment, height, width)) return;
  width_ = width;
  int longest = 0;
  for (int p = 0; p < picture.planes; ++p) longest = std::max(longest, axes_.x[p].count);
  source_row_.assign(static_cast<size_t>(longest) + kReadable, 0.0f);
  luma_.resize(static_cast<size_t>(width));
  u_.resize(static_cast<size_t>(width));
  v_.resize(static_cast<size_t>(width));
}

void Resizer::plane_row(float* out, const Picture& picture, int p, int y) {
  const AxisTable& x = axes_.x[p];
  const AxisTable& rows = axes_.y[p];
  const int above = rows.first + rows.index[y], below = std::min(above + 1, picture.plane[p].height - 1);
  ops_.lerp_rows(source_row_.data(), picture.row(p, above) + x.first, picture.row(p, below) + x.first,
                 rows.weight[y], x.count);
  source_row_[x.count] = source_row_[x.count - 1];  // read with weight 0 in pictures one sample wide
  ops_.resample(out, source_row_.data(), x.index.data(), x.weight.data(), x.span, width_);
}

YuvCoefficients color_of_samples(const Picture& picture) {
  if (picture.model == ColorModel::kRgb) return {1.0f / 255, 0.0f, 0, 0, 0, 0};
  YuvCoefficients c{};
  c.ys = picture.full_range ? 1.0f / 255 : 1.0f / 219;
  c.yo = picture.full_range ? 0.0f : -16.0f / 219;
  if (picture.model == ColorModel::kGray) return c;
  const float kr = picture.kr, kb = picture.kb, kg = 1 - kr - kb;
  const float chroma = picture.full_range ? 1.0f / 255 : 1.0f / 224;
  c.rv = 2 * (1 - kr) * chroma;
  c.gu = -2 * kb * (1 - kb) / kg * chroma;
  c.gv = -2 * kr * (1 - kr) / kg * chroma;
  c.bu = 2 * (1 - kb) * chroma;
  return c;
}

void Resizer::row(float* r, float* g, float* b, const Picture& picture, int y) {
  const YuvCoefficients c = color_of_samples(picture);
  switch (picture.model) {
    case ColorModel::kRgb:
      plane_row(r, picture, 0, y);
      plane_row(g, picture, 1, y);
      plane_row(b, picture, 2, y);
      for (float* x : {r, g, b}) ops_.affine(x, c.ys, c.yo, width_);
      return;
    case ColorModel::kGray:
      plane_row(r, picture, 0, y);
      ops_.affine(r, c.ys, c.yo, width_);
      std::copy(r, r + width_, g);
      std::copy(r, r + width_, b);
      return;
    case ColorModel::kYuv:
      plane_row(luma_.data(), picture, 0, y);
      plane_row(u_.data(), picture, 1, y);
      plane_row(v_.data(), picture, 2, y);
      ops_.yuv_to_rgb(r, g, b, luma_.data(), u_.data(), v_.data(), c, width_);
  }
}

}  // namespace vssl::video
