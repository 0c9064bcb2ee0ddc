// libav behind small owners: every handle frees itself, every error becomes a sentence, nothing is printed.
// Only the files of this room that decode or encode include it.
#pragma once

#ifdef VSSL_WITH_LIBAV

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/avutil.h>
}

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bytes_io.h"
#include "origin.h"

namespace vssl::video {

struct FormatCloser {
  void operator()(AVFormatContext* c) const { avformat_close_input(&c); }
};
struct CodecCloser {
  void operator()(AVCodecContext* c) const { avcodec_free_context(&c); }
};
struct FrameCloser {
  void operator()(AVFrame* f) const { av_frame_free(&f); }
};
struct PacketCloser {
  void operator()(AVPacket* p) const { av_packet_free(&p); }
};
using FormatPtr = std::unique_ptr<AVFormatContext, FormatCloser>;
using CodecPtr = std::unique_ptr<AVCodecContext, CodecCloser>;
using FramePtr = std::unique_ptr<AVFrame, FrameCloser>;
using PacketPtr = std::unique_ptr<AVPacket, PacketCloser>;

FramePtr make_frame();
PacketPtr make_packet();

// "Invalid data found when processing input" for an AVERROR code.
std::string av_reason(int code);

// Time limit of one call into the demuxer: a hostile file may send it round in circles. Far above what any
// sound file needs, so that it never decides about one.
class Deadline {
 public:
  void restart(double seconds);
  bool passed() const;

 private:
  std::chrono::steady_clock::time_point end_ = std::chrono::steady_clock::time_point::max();
};

constexpr double kOpenSeconds = 30;  // to open a file and read its headers
constexpr double kReadSeconds = 30;  // to read one packet, or to seek

// An opened file and its one video stream.
struct Input {
  Input() = default;
  Input(Input&&) = default;
  Input& operator=(Input&& o) noexcept {  // what was held goes with `o`, in the order that it needs
    std::swap(deadline, o.deadline);
    std::swap(io, o.io);
    std::swap(format, o.format);
    std::swap(stream, o.stream);
    std::swap(videos, o.videos);
    return *this;
  }

  std::unique_ptr<Deadline> deadline;  // outlives `format`, which holds its address
  std::unique_ptr<BytesIo> io;         // likewise; null for a file that libav opens itself
  FormatPtr format;
  int stream = -1;
  int videos = 0;  // streams that it was chosen from
};

// Opens a local file, a part of one, or one in memory (no network, no playlists) and finds its best video
// stream: one of several pictures before a still one, then the file's default one, then the largest. Pictures
// attached to audio files are not counted. Throws ERR_VSSL_VIDEO_OPEN, ERR_VSSL_VIDEO_NO_STREAM.
Input open_input(const Origin& origin);

// Next packet of the video stream. 0, AVERROR_EOF, or another AVERROR; a damaged stretch is stepped over.
int read_video_packet(AVPacket* packet, const Input& input);

// A fresh single-threaded decoder; with `headers`, which take the place of those in the parameters, unless
// null. Throws ERR_VSSL_VIDEO_OPEN.
CodecPtr open_decoder(const AVCodecParameters& parameters, AVRational time_base,
                      const std::vector<uint8_t>* headers = nullptr);
inline CodecPtr open_decoder(const AVStream* stream) {
  return open_decoder(*stream->codecpar, stream->time_base);
}

// Whether every picture of the codec stands alone.
bool is_intra_only(const AVCodecParameters& parameters);

}  // namespace vssl::video

#endif  // VSSL_WITH_LIBAV
