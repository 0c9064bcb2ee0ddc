// RGB frames through an encoder of libav, and into a container.
#pragma once

#ifdef VSSL_WITH_LIBAV

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "libav.h"
#include "video.h"

struct SwsContext;

namespace vssl::video {

// Throws ERR_VSSL_VIDEO_WRITE, with libav's reason for a negative code; std::bad_alloc where that is no
// memory.
[[noreturn]] void fail_to_write(const std::string& what, int code = 0);

// Of the options beside `times`, and of the size.
void check_writable(int64_t h, int64_t w, const WriteOptions& options);

CodecPtr open_encoder(int64_t h, int64_t w, const WriteOptions& options, bool global_header);

// RGB pictures in the pixel format of an encoder. The samples of chroma that stand for the last column or
// line of an odd size stand for it twice: libswscale alone would spread all of them over the picture.
class EncoderFrames {
 public:
  explicit EncoderFrames(const AVCodecContext& codec);
  ~EncoderFrames();
  EncoderFrames(const EncoderFrames&) = delete;
  EncoderFrames& operator=(const EncoderFrames&) = delete;

  AVFrame* of(const uint8_t* rgb, int64_t pts);  // until the next call

 private:
  const uint8_t* padded(const uint8_t* rgb);

  const int width_, height_;
  int wide_ = 0, high_ = 0;  // whole samples of chroma
  SwsContext* scaler_ = nullptr;
  FramePtr frame_;
  std::vector<uint8_t> padded_;
};

// A file of one video stream, over bytes that the caller opens and closes: they must outlive it.
class VideoOutput {
 public:
  // `container`: libav's name for it; null: what the suffix of `url` says.
  VideoOutput(const char* container, const char* url, int64_t h, int64_t w, const WriteOptions& options);

  void begin(AVIOContext* bytes);
  void add(const uint8_t* rgb);
  void finish();

 private:
  struct OutputCloser {
    void operator()(AVFormatContext* c) const { avformat_free_context(c); }
  };

  [[noreturn]] void fail_to_take(int code = 0) const;
  void encode(const AVFrame* frame);  // null: the end
  int64_t duration_of(int64_t pts) const;

  const std::string codec_name_;
  std::unique_ptr<AVFormatContext, OutputCloser> format_;
  CodecPtr codec_;
  AVStream* stream_ = nullptr;
  std::unique_ptr<EncoderFrames> pictures_;
  PacketPtr packet_ = make_packet();
  std::vector<int64_t> stamps_;  // of frames at times of their own, in milliseconds, and the end of the last
  int64_t added_ = 0;
};

}  // namespace vssl::video

#endif  // VSSL_WITH_LIBAV
