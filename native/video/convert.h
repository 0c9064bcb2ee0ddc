// From a decoder's picture, in any pixel format, to a Picture. Eight-bit planar YUV and gray are taken as
// they are.
#pragma once

#ifdef VSSL_WITH_LIBAV

#include <cstdint>
#include <vector>

#include "libav.h"
#include "picture.h"

namespace vssl::video {

// Throws ERR_VSSL_VIDEO_DECODE when swscale does not know the format.
PicturePtr picture_from_frame(const AVFrame* frame, const Orientation& orientation, int shrink);

struct RgbaPicture {
  int height = 0, width = 0;
  std::vector<uint8_t> rgba;  // (height, width, 4), straight alpha; 255 where the format has none
};

// Throws like picture_from_frame.
RgbaPicture rgba_from_frame(const AVFrame* frame, const Orientation& orientation);

}  // namespace vssl::video

#endif  // VSSL_WITH_LIBAV
