// A decoded picture in the form that is cached and augmented: 8-bit planes, upright, shrunk by a whole
// factor.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "orientation.h"

namespace vssl::video {

// How sample values become colour.
enum class ColorModel : uint8_t { kRgb, kGray, kYuv };

struct Picture {
  static constexpr size_t kSlack = 16;
  struct Plane {
    int width = 0, height = 0;
    double extent_x = 0,
           extent_y = 0;  // width and height of the whole displayed picture in samples of this plane
    size_t offset = 0;    // into `samples`; rows are `width` bytes apart
  };

  ColorModel model = ColorModel::kRgb;
  bool full_range = false;         // of kYuv and kGray
  float kr = 0.299f, kb = 0.114f;  // luma weights of the YUV matrix
  int planes = 3;                  // 1 for kGray
  Plane plane[3];                  // R G B, or Y U V
  std::vector<uint8_t> samples;    // followed by kSlack bytes that may be read

  const uint8_t* row(int p, int y) const {
    return samples.data() + plane[p].offset + static_cast<size_t>(y) * plane[p].width;
  }
  int64_t bytes() const { return static_cast<int64_t>(samples.capacity() + sizeof(Picture)); }
};

using PicturePtr = std::shared_ptr<const Picture>;

// Samples of one plane as a decoder holds them.
struct PlaneView {
  const uint8_t* data = nullptr;
  int64_t stride = 0;  // bytes between rows, may be negative
  int64_t step = 1;    // bytes between samples of a row
  int width = 0, height = 0;
  double extent_x = 0, extent_y = 0;  // as in Picture::Plane, before turning and shrinking
};

// The same samples seen upright: a turn is only another way of walking through memory.
PlaneView upright(const PlaneView& view, const Orientation& orientation);

// Copies planes into `picture`: brought upright, then shrunk (box mean, rounded to nearest; the last box of a
// row or column may be partial).
void set_planes(Picture& picture, const PlaneView* views, int planes, const Orientation& orientation,
                int shrink);

// Uint8 (h, w, 3) RGB as a picture.
PicturePtr picture_from_rgb(const uint8_t* rgb, int64_t h, int64_t w, int shrink);

}  // namespace vssl::video
