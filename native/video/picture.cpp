#include "picture.h"

#include <algorithm>
#include <cstring>

namespace vssl::video {

namespace {

// One output row of box means, `Shrink` known at compile time for the common factors (0: not).
template <int Shrink>
void box_means(uint8_t* out, const uint16_t* sums, int out_width, int in_width, int shrink, int rows) {
  const int k = Shrink ? Shrink : shrink;
  const int whole = in_width / k;
  const uint32_t area = static_cast<uint32_t>(k) * static_cast<uint32_t>(rows);
  if (Shrink && rows == Shrink) {
    for (int x = 0; x < whole; ++x) {
      uint32_t sum = Shrink * Shrink / 2;
      for (int i = 0; i < Shrink; ++i) sum += sums[x * Shrink + i];
      out[x] = static_cast<uint8_t>(sum / (Shrink ? Shrink * Shrink : 1));
    }
  } else {
    for (int x = 0; x < whole; ++x) {
      uint32_t sum = area / 2;
      for (int i = 0; i < k; ++i) sum += sums[x * k + i];
      out[x] = static_cast<uint8_t>(sum / area);
    }
  }
  if (whole < out_width) {  // partial box at the right edge
    const auto columns = static_cast<uint32_t>(in_width - whole * k);
    uint32_t sum = columns * rows / 2;
    for (int x = whole * k; x < in_width; ++x) sum += sums[x];
    out[whole] = static_cast<uint8_t>(sum / (columns * rows));
  }
}

void shrink_plane(uint8_t* out, const PlaneView& in, int shrink) {
  const int out_width = (in.width + shrink - 1) / shrink, out_height = (in.height + shrink - 1) / shrink;
  std::vector<uint16_t> sums(in.width);  // shrink <= 64, so a column sum stays below 2^16
  for (int y = 0; y < out_height; ++y) {
    const int y0 = y * shrink, rows = std::min(shrink, in.height - y0);
    for (int r = 0; r < rows; ++r) {
      const uint8_t* row = in.data + (y0 + r) * in.stride;
      uint16_t* sum = sums.data();
      if (in.step == 1) {
        if (r == 0) {
          for (int x = 0; x < in.width; ++x) sum[x] = row[x];
        } else {
          for (int x = 0; x < in.width; ++x) sum[x] = static_cast<uint16_t>(sum[x] + row[x]);
        }
      } else {
        for (int x = 0; x < in.width; ++x) {
          sum[x] = static_cast<uint16_t>((r == 0 ? 0 : sum[x]) + row[x * in.step]);
        }
      }
    }
    uint8_t* o = out + static_cast<size_t>(y) * out_width;
    switch (shrink) {
      case 2:
        box_means<2>(o, sums.data(), out_width, in.width, shrink, rows);
        break;
      case 3:
        box_means<3>(o, sums.data(), out_width, in.width, shrink, rows);
        break;
      case 4:
        box_means<4>(o, sums.data(), out_width, in.width, shrink, rows);
        break;
      default:
        box_means<0>(o, sums.data(), out_width, in.width, shrink, rows);
    }
  }
}

void copy_plane(uint8_t* out, const PlaneView& in) {
  for (int y = 0; y < in.height; ++y) {
    const uint8_t* row = in.data + y * in.stride;
    uint8_t* o = out + static_cast<size_t>(y) * in.width;
    if (in.step == 1) {
      std::memcpy(o, row, in.width);
    } else {
      for (int x = 0; x < in.width; ++x) o[x] = row[x * in.step];
    }
  }
}

}  // namespace

PlaneView upright(const PlaneView& view, const Orientation& orientation) {
  PlaneView v = view;
  if (orientation.mirror) {
    v.data += (v.width - 1) * v.step;
    v.step = -v.step;
  }
  PlaneView t = v;
  const uint8_t* last_row = v.data + (v.height - 1) * v.stride;
  const int64_t last_column = (v.width - 1) * v.step;
  switch (orientation.rotation) {
    case 90:  // the left column, read upwards, becomes the top row
      t.data = last_row;
      t.step = -v.stride;
      t.stride = v.step;
      break;
    case 180:
      t.data = last_row + last_column;
      t.step = -v.step;
      t.stride = -v.stride;
      break;
    case 270:  // the right column, read downwards, becomes the top row
      t.data = v.data + last_column;
      t.step = v.stride;
      t.stride = -v.step;
      break;
    default:
      return t;
  }
  if (orientation.swaps_sides()) {
    std::swap(t.width, t.height);
    std::swap(t.extent_x, t.extent_y);
  }
  return t;
}

void set_planes(Picture& picture, const PlaneView* views, int planes, const Orientation& orientation,
                int shrink) {
  PlaneView turned[3];
  size_t size = 0;
  picture.planes = planes;
  for (int p = 0; p < planes; ++p) {
    turned[p] = upright(views[p], orientation);
    Picture::Plane& out = picture.plane[p];
    out.width = (turned[p].width + shrink - 1) / shrink;
    out.height = (turned[p].height + shrink - 1) / shrink;
    out.extent_x = turned[p].extent_x / shrink;
    out.extent_y = turned[p].extent_y / shrink;
    out.offset = size;
    size += static_cast<size_t>(out.width) * out.height;
  }
  picture.samples.resize(size + Picture::kSlack);
  for (int p = 0; p < planes; ++p) {
    uint8_t* out = picture.samples.data() + picture.plane[p].offset;
    if (shrink > 1) {
      shrink_plane(out, turned[p], shrink);
    } else {
      copy_plane(out, turned[p]);
    }
  }
}

PicturePtr picture_from_rgb(const uint8_t* rgb, int64_t h, int64_t w, int shrink) {
  auto picture = std::make_shared<Picture>();
  picture->model = ColorModel::kRgb;
  PlaneView views[3];
  for (int p = 0; p < 3; ++p) {
    views[p] = {rgb + p,
                3 * w,
                3,
                static_cast<int>(w),
                static_cast<int>(h),
                static_cast<double>(w),
                static_cast<double>(h)};
  }
  set_planes(*picture, views, 3, {}, shrink);
  return picture;
}

}  // namespace vssl::video
