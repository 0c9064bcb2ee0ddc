// Encodes RGB frames into a video file: demo data, tests, training copies.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "libav.h"
#include "video.h"

extern "C" {
#ifdef VSSL_WITH_LIBAV
#include <libavutil/opt.h>
#include <libswscale/swscale.h>
#endif
}

namespace vssl::video {

#ifdef VSSL_WITH_LIBAV

namespace {

[[noreturn]] void fail(const std::string& what, int code) {
  throw Error("ERR_VSSL_VIDEO_WRITE", what + (code < 0 ? ": " + av_reason(code) : ""));
}

struct ScalerCloser {
  void operator()(SwsContext* c) const { sws_freeContext(c); }
};
struct OutputCloser {
  void operator()(AVFormatContext* c) const {
    if (c->pb) avio_closep(&c->pb);
    avformat_free_context(c);
  }
};

// Removes the file unless it was finished.
struct PartialFile {
  std::string path;
  bool created = false, finished = false;
  ~PartialFile() {
    if (created && !finished) std::remove(path.c_str());
  }
};

// 4:2:0 where the encoder takes it, else its first choice (full-range JPEG, RGB of PNG) that pictures can be
// converted to; none for palettes alone.
AVPixelFormat choose_format(const AVCodec* codec) {
  if (!codec->pix_fmts) return AV_PIX_FMT_YUV420P;
  if (codec->pix_fmts[0] == AV_PIX_FMT_YUVJ420P) return AV_PIX_FMT_YUVJ420P;
  AVPixelFormat first = AV_PIX_FMT_NONE;
  for (const AVPixelFormat* f = codec->pix_fmts; *f != AV_PIX_FMT_NONE; ++f) {
    if (*f == AV_PIX_FMT_YUV420P) return *f;
    if (first == AV_PIX_FMT_NONE && sws_isSupportedOutput(*f)) first = *f;
  }
  return first;
}

CodecPtr open_encoder(int64_t h, int64_t w, const WriteOptions& o, bool global_header) {
  const AVCodec* codec = avcodec_find_encoder_by_name(o.codec.c_str());
  if (!codec || codec->type != AVMEDIA_TYPE_VIDEO) {
    fail("the linked FFmpeg has no video encoder '" + o.codec + "'; 'mpeg4' is always there", 0);
  }
  // libx265 3.5 writes beyond its memory for some pictures smaller than its largest block (48 x 32 is one).
  if (std::strcmp(codec->name, "libx265") == 0 && (h < 64 || w < 64))
    fail("encoder 'libx265' is not safe for pictures below 64 x 64; take 'libx264' or 'mpeg4'", 0);
  CodecPtr c(avcodec_alloc_context3(codec));
  if (!c) throw std::bad_alloc();
  c->width = static_cast<int>(w);
  c->height = static_cast<int>(h);
  c->pix_fmt = choose_format(codec);
  if (c->pix_fmt == AV_PIX_FMT_NONE)
    fail("encoder '" + o.codec + "' takes no pixel format that RGB pictures can be converted to", 0);
  c->framerate = o.times.empty() ? av_d2q(o.fps, 60000) : AVRational{1000, 1};
  c->time_base = av_inv_q(c->framerate);
  c->gop_size = o.gop;
  c->max_b_frames = 0;
  c->thread_count = 1;
  c->flags |= AV_CODEC_FLAG_BITEXACT | AV_CODEC_FLAG_QSCALE;
  c->global_quality = static_cast<int>(o.quality * FF_QP2LAMBDA);
  c->sample_aspect_ratio = {1, 1};
  if (global_header) c->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  const int rc = avcodec_open2(c.get(), codec, nullptr);
  if (rc < 0) {
    fail("encoder '" + o.codec + "' refuses " + std::to_string(w) + " x " + std::to_string(h) + " at " +
             std::to_string(o.fps) + " frames a second",
         rc);
  }
  return c;
}

// RGB pictures in the pixel format of an encoder.
class EncoderFrames {
 public:
  explicit EncoderFrames(const AVCodecContext& codec)
      : scaler_(sws_getContext(
            codec.width, codec.height, AV_PIX_FMT_RGB24, codec.width, codec.height, codec.pix_fmt,
            SWS_BILINEAR | SWS_ACCURATE_RND | SWS_BITEXACT | SWS_FULL_CHR_H_INP, nullptr, nullptr, nullptr)),
        frame_(make_frame()) {
    frame_->format = codec.pix_fmt;
    frame_->width = codec.width;
    frame_->height = codec.height;
    if (!scaler_ || av_frame_get_buffer(frame_.get(), 0) < 0) throw std::bad_alloc();
    frame_->quality = codec.global_quality;
  }
  // Until the next call.
  AVFrame* of(const uint8_t* rgb, int64_t pts) {
    if (av_frame_make_writable(frame_.get()) < 0) throw std::bad_alloc();
    const int stride[1] = {3 * frame_->width};
    sws_scale(scaler_.get(), &rgb, stride, 0, frame_->height, frame_->data, frame_->linesize);
    frame_->pts = pts;
    return frame_.get();
  }

 private:
  std::unique_ptr<SwsContext, ScalerCloser> scaler_;
  FramePtr frame_;
};

// Sends a frame (null: the end) and writes what comes out. `pts`: of all frames, with the end of the last
// one.
void encode(AVFormatContext* out, AVCodecContext* codec, AVStream* stream, const AVFrame* frame,
            AVPacket* packet, const std::vector<int64_t>& pts) {
  int rc = avcodec_send_frame(codec, frame);
  if (rc < 0) fail("cannot encode a frame", rc);
  for (;;) {
    rc = avcodec_receive_packet(codec, packet);
    if (rc == AVERROR(EAGAIN) || rc == AVERROR_EOF) return;
    if (rc < 0) fail("cannot encode a frame", rc);
    // Without it the last picture would be shown for no time, and players would leave it out.
    const auto next = std::upper_bound(pts.begin(), pts.end(), packet->pts);
    if (next != pts.end()) packet->duration = *next - packet->pts;
    av_packet_rescale_ts(packet, codec->time_base, stream->time_base);
    packet->stream_index = stream->index;
    rc = av_interleaved_write_frame(out, packet);
    if (rc < 0) fail("cannot write", rc);
  }
}

void check_frames(int64_t t, int64_t h, int64_t w, const WriteOptions& o) {
  if (t < 1 || h < 1 || w < 1 || h > 8192 || w > 8192)
    fail("expected frames of shape (T, H, W, 3), none empty", 0);
  if (!(o.fps > 0.01 && o.fps < 1000)) fail("expected fps between 0.01 and 1000", 0);
  if (o.quality < 1 || o.quality > 31) fail("expected quality between 1 (best) and 31", 0);
  if (o.gop < 1) fail("expected a gop of at least 1 frame", 0);
  if (!o.times.empty()) {
    if (static_cast<int64_t>(o.times.size()) != t) fail("expected one time per frame", 0);
    for (size_t i = 1; i < o.times.size(); ++i) {
      if (!(o.times[i] >= o.times[i - 1] + 0.001))
        fail("expected times that rise by a millisecond or more", 0);
    }
    if (!(o.times.front() >= 0 && o.times.back() < 1e6)) fail("expected times from 0 to 10^6 seconds", 0);
  }
}

}  // namespace

void write_video(const std::string& path, const uint8_t* frames, int64_t t, int64_t h, int64_t w,
                 const WriteOptions& o) {
  check_frames(t, h, w, o);
  const std::string url = "file:" + path;
  AVFormatContext* raw = nullptr;
  int rc = avformat_alloc_output_context2(&raw, nullptr, nullptr, url.c_str());
  if (rc < 0 || !raw) fail("no container is known for this file name; use .mp4, .avi or .mkv", rc);
  PartialFile partial{path};  // destroyed after the file is closed
  std::unique_ptr<AVFormatContext, OutputCloser> out(raw);
  out->flags |= AVFMT_FLAG_BITEXACT;
  const CodecPtr codec = open_encoder(h, w, o, (out->oformat->flags & AVFMT_GLOBALHEADER) != 0);
  AVStream* stream = avformat_new_stream(out.get(), nullptr);
  if (!stream) throw std::bad_alloc();
  stream->time_base = codec->time_base;
  if (o.times.empty()) stream->avg_frame_rate = codec->framerate;
  stream->sample_aspect_ratio = codec->sample_aspect_ratio;
  rc = avcodec_parameters_from_context(stream->codecpar, codec.get());
  if (rc < 0) fail("cannot describe the stream", rc);
  rc = avio_open(&out->pb, url.c_str(), AVIO_FLAG_WRITE);
  if (rc < 0) fail("cannot create the file", rc);
  partial.created = true;
  rc = avformat_write_header(out.get(), nullptr);
  if (rc < 0) fail("this container does not take codec '" + o.codec + "'", rc);

  EncoderFrames pictures(*codec);
  const PacketPtr packet = make_packet();
  std::vector<int64_t> pts;
  for (int64_t i = 0; i < t; ++i) {
    pts.push_back(o.times.empty() ? i : std::llround(o.times[static_cast<size_t>(i)] * 1000));
  }
  pts.push_back(t > 1 ? 2 * pts[t - 1] - pts[t - 2] : pts[0] + (o.times.empty() ? 1 : 40));
  for (int64_t i = 0; i < t; ++i) {
    AVFrame* const frame = pictures.of(frames + i * h * w * 3, pts[static_cast<size_t>(i)]);
    encode(out.get(), codec.get(), stream, frame, packet.get(), pts);
  }
  encode(out.get(), codec.get(), stream, nullptr, packet.get(), pts);
  rc = av_write_trailer(out.get());
  if (rc < 0) fail("cannot finish the file", rc);
  rc = avio_closep(&out->pb);
  if (rc < 0) fail("cannot finish the file", rc);  // a full disk shows here
  partial.finished = true;
}

std::vector<uint8_t> encode_jpeg(const uint8_t* rgb, int64_t h, int64_t w, int64_t quality) {
  WriteOptions options;
  options.codec = "mjpeg";
  options.quality = quality;
  check_frames(1, h, w, options);
  const CodecPtr codec = open_encoder(h, w, options, false);
  EncoderFrames pictures(*codec);
  const PacketPtr packet = make_packet();
  int rc = avcodec_send_frame(codec.get(), pictures.of(rgb, 0));
  if (rc >= 0) rc = avcodec_send_frame(codec.get(), nullptr);
  if (rc >= 0) rc = avcodec_receive_packet(codec.get(), packet.get());
  if (rc < 0) fail("cannot encode a picture", rc);
  return {packet->data, packet->data + packet->size};
}

#else

namespace {
constexpr const char* kNoEncoder =
    "this build has no video encoder; install FFmpeg's development packages and build again";
}

void write_video(const std::string&, const uint8_t*, int64_t, int64_t, int64_t, const WriteOptions&) {
  throw Error("ERR_VSSL_NO_LIBAV", kNoEncoder);
}

std::vector<uint8_t> encode_jpeg(const uint8_t*, int64_t, int64_t, int64_t) {
  throw Error("ERR_VSSL_NO_LIBAV", kNoEncoder);
}

#endif

}  // namespace vssl::video
