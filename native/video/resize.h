// Crop, bilinear resize and colour conversion of one picture to three planes of floats in [0, 1].
#pragma once

#include <cstdint>
#include <vector>

#include "picture.h"
#include "plan.h"
#include "rows.h"

namespace vssl::video {

// Where the output samples along one axis of one plane lie: between source sample index[i] and the next one.
struct AxisTable {
  int first = 0, count = 0;    // source samples that are read: [first, first + count)
  int span = 0;                // as RowOps::resample wants it
  std::vector<int32_t> index;  // relative to `first`
  std::vector<float> weight;
};

// Half-pixel centres: output sample i sits at fraction lo + (i + 1/2) (hi - lo) / n of the picture. Beyond
// the outermost sample centres the border sample is repeated.
void make_axis(AxisTable& table, double lo, double hi, double extent, int samples, int n, bool flip);

// Where the output samples lie in a picture's planes for one crop box. Tables are made again only when
// something of either changes.
class PictureAxes {
 public:
  // Returns whether they are others than before.
  bool prepare(const Picture& picture, const FrameAugment& augment, int height, int width);

  AxisTable x[3], y[3];  // of each plane

 private:
  struct Geometry {
    int width, height;
    double extent_x, extent_y;
    bool operator==(const Geometry& o) const {
      return width == o.width && height == o.height && extent_x == o.extent_x && extent_y == o.extent_y;
    }
  };

  int planes_ = 0, height_ = 0, width_ = 0;
  Geometry geometry_[3] = {};
  double box_[4] = {0, 0, 0, 0};
  bool flip_ = false, ready_ = false;
};

// How samples become colour: of kRgb and kGray r = g = b = ys sample + yo, each from its own plane.
YuvCoefficients color_of_samples(const Picture& picture);

// Resizes pictures of equal geometry with one crop box.
class Resizer {
 public:
  explicit Resizer(const RowOps& ops) : ops_(ops) {}

  void prepare(const Picture& picture, const FrameAugment& augment, int height, int width);

  // r, g, b: one output row of floats each, clipped to [0, 1]. Call for y = 0 .. height - 1.
  void row(float* r, float* g, float* b, const Picture& picture, int y);

 private:
  void plane_row(float* out, const Picture& picture, int p, int y);

  const RowOps& ops_;
  int width_ = 0;
  PictureAxes axes_;
  std::vector<float> source_row_, luma_, u_, v_;
};

}  // namespace vssl::video
