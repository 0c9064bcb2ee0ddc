// The first picture of a stream: of a still it is all there is, and of a video it holds facts that stand
// nowhere else.
#pragma once

#ifdef VSSL_WITH_LIBAV

#include <optional>
#include <string>

#include "libav.h"
#include "orientation.h"

namespace vssl::video {

// Looks for the first picture that decodes alone among the packets that it is offered.
class FirstPicture {
 public:
  // Throws ERR_VSSL_VIDEO_OPEN when there is no decoder.
  FirstPicture(const AVCodecParameters& parameters, AVRational time_base);

  // True when the picture is there, or will not come.
  bool offer(const AVPacket* packet);

  const AVFrame* frame() const { return came_ ? frame_.get() : nullptr; }
  std::optional<Orientation> orientation() const { return orientation_; }
  int error() const { return error_; }  // of the last try

 private:
  CodecPtr codec_;
  FramePtr frame_ = make_frame();
  std::optional<Orientation> orientation_;
  int tries_ = 0, error_ = AVERROR_EOF;
  bool came_ = false;
};

// A still picture, or the first one of a video, and how it is brought upright.
struct StillPicture {
  FramePtr frame;
  Orientation orientation;
};

// Throws ERR_VSSL_VIDEO_OPEN, ERR_VSSL_VIDEO_NO_STREAM, ERR_VSSL_VIDEO_DECODE.
StillPicture read_still(const std::string& path);

}  // namespace vssl::video

#endif  // VSSL_WITH_LIBAV
