#include "first_picture.h"

#ifdef VSSL_WITH_LIBAV

#include <utility>
#include <vector>

#include "video.h"

namespace vssl::video {

namespace {
constexpr int kMostTries = 64;  // packets
}

FirstPicture::FirstPicture(const AVCodecParameters& parameters, AVRational time_base)
    : codec_(open_decoder(parameters, time_base)) {}

bool FirstPicture::offer(const AVPacket* packet) {
  if (came_ || tries_ >= kMostTries) return true;
  ++tries_;
  // Drained at once, so that a decoder that reorders pictures does not wait for more packets.
  avcodec_flush_buffers(codec_.get());
  error_ = avcodec_send_packet(codec_.get(), packet);
  if (error_ >= 0) error_ = avcodec_send_packet(codec_.get(), nullptr);
  if (error_ >= 0) error_ = avcodec_receive_frame(codec_.get(), frame_.get());
  came_ = error_ >= 0;
  if (came_) orientation_ = orientation_of_picture(frame_.get(), packet);
  return came_;
}

StillPicture read_still(const std::string& path) {
  const Input input = open_input(path);
  const AVStream* stream = input.format->streams[input.stream];
  std::vector<std::string> ignored;
  const std::optional<Orientation> of_container = orientation_of_stream(stream, ignored);
  FirstPicture first(*stream->codecpar, stream->time_base);
  const PacketPtr packet = make_packet();
  int rc = 0;
  for (bool done = false; !done;) {
    rc = read_video_packet(packet.get(), input);
    if (rc < 0) break;
    done = first.offer(packet.get());
    av_packet_unref(packet.get());
  }
  if (!first.frame()) {
    throw Error("ERR_VSSL_VIDEO_DECODE",
                "not a readable picture: " + av_reason(rc < 0 && rc != AVERROR_EOF ? rc : first.error()));
  }
  StillPicture still;
  still.frame.reset(av_frame_clone(first.frame()));
  if (!still.frame) throw std::bad_alloc();
  still.orientation = of_container.value_or(first.orientation().value_or(Orientation{}));
  return still;
}

}  // namespace vssl::video

#endif  // VSSL_WITH_LIBAV
