#include "encode.h"

#ifdef VSSL_WITH_LIBAV

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cmath>
#include <cstring>
#include <new>

extern "C" {
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
}

namespace vssl::video {

namespace {

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

// MPEG-4 counts the ticks of a second in 16 bits. Motion JPEG leaves time to the container, which has 32: any
// rate is kept as it is, so that the last picture of hours is where it was.
AVRational rate_of(const AVCodec* codec, const WriteOptions& o) {
  if (!o.times.empty()) return {1000, 1};
  const AVRational rate = av_d2q(o.fps, codec->id == AV_CODEC_ID_MJPEG ? INT_MAX : 60000);
  if (!(std::abs(av_q2d(rate) - o.fps) <= 1e-6 * o.fps))
    fail_to_write("encoder '" + o.codec + "' cannot show " + std::to_string(o.fps) + " frames a second");
  return rate;
}

}  // namespace

void fail_to_write(const std::string& what, int code) {
  if (code == AVERROR(ENOMEM)) throw std::bad_alloc();  // no fault of the video
  throw Error("ERR_VSSL_VIDEO_WRITE", what + (code < 0 ? ": " + av_reason(code) : ""));
}

void check_writable(int64_t h, int64_t w, const WriteOptions& o) {
  if (h < 1 || w < 1 || h > 8192 || w > 8192)
    fail_to_write("expected frames of shape (T, H, W, 3), none empty, with sides up to 8192");
  if (!(o.fps >= 1e-5 && o.fps <= 60000)) fail_to_write("expected fps between 0.00001 and 60000");
  if (o.quality < 1 || o.quality > 31) fail_to_write("expected quality between 1 (best) and 31");
  if (o.gop < 1) fail_to_write("expected a gop of at least 1 frame");
}

CodecPtr open_encoder(int64_t h, int64_t w, const WriteOptions& o, bool global_header) {
  silence_libav();
  const AVCodec* codec = avcodec_find_encoder_by_name(o.codec.c_str());
  if (!codec || codec->type != AVMEDIA_TYPE_VIDEO) {
    fail_to_write("the linked FFmpeg has no video encoder '" + o.codec + "'; 'mpeg4' is always there");
  }
  // libx265 3.5 writes beyond its memory for some pictures smaller than its largest block (48 x 32 is one).
  if (std::strcmp(codec->name, "libx265") == 0 && (h < 64 || w < 64))
    fail_to_write("encoder 'libx265' is not safe for pictures below 64 x 64; take 'libx264' or 'mpeg4'");
  CodecPtr c(avcodec_alloc_context3(codec));
  if (!c) throw std::bad_alloc();
  c->width = static_cast<int>(w);
  c->height = static_cast<int>(h);
  c->pix_fmt = choose_format(codec);
  if (c->pix_fmt == AV_PIX_FMT_NONE)
    fail_to_write("encoder '" + o.codec + "' takes no pixel format that RGB pictures can be converted to");
  c->framerate = rate_of(codec, o);
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
    fail_to_write("encoder '" + o.codec + "' refuses " + std::to_string(w) + " x " + std::to_string(h) +
                      " at " + std::to_string(o.fps) + " frames a second",
                  rc);
  }
  return c;
}

EncoderFrames::EncoderFrames(const AVCodecContext& codec)
    : width_(codec.width), height_(codec.height), frame_(make_frame()) {
  const AVPixFmtDescriptor* format = av_pix_fmt_desc_get(codec.pix_fmt);
  const auto whole = [](int size, int shift) { return -(-size >> shift) * (1 << shift); };
  frame_->format = codec.pix_fmt;
  frame_->width = wide_ = whole(width_, format->log2_chroma_w);
  frame_->height = high_ = whole(height_, format->log2_chroma_h);
  scaler_ = sws_getContext(wide_, high_, AV_PIX_FMT_RGB24, wide_, high_, codec.pix_fmt,
                           SWS_BILINEAR | SWS_ACCURATE_RND | SWS_BITEXACT | SWS_FULL_CHR_H_INP, nullptr,
                           nullptr, nullptr);
  if (!scaler_ || av_frame_get_buffer(frame_.get(), 0) < 0) {
    sws_freeContext(scaler_);
    throw std::bad_alloc();
  }
  frame_->quality = codec.global_quality;
}

EncoderFrames::~EncoderFrames() { sws_freeContext(scaler_); }

AVFrame* EncoderFrames::of(const uint8_t* rgb, int64_t pts) {
  frame_->width = wide_;
  frame_->height = high_;
  if (av_frame_make_writable(frame_.get()) < 0) throw std::bad_alloc();
  const int stride[1] = {3 * wide_};
  const uint8_t* const whole = wide_ == width_ && high_ == height_ ? rgb : padded(rgb);
  sws_scale(scaler_, &whole, stride, 0, high_, frame_->data, frame_->linesize);
  frame_->width = width_;
  frame_->height = height_;
  frame_->pts = pts;
  return frame_.get();
}

const uint8_t* EncoderFrames::padded(const uint8_t* rgb) {
  padded_.resize(static_cast<size_t>(wide_) * high_ * 3);
  for (int y = 0; y < high_; ++y) {
    const uint8_t* from = rgb + static_cast<size_t>(std::min(y, height_ - 1)) * width_ * 3;
    uint8_t* to = std::copy(from, from + static_cast<size_t>(width_) * 3,
                            padded_.data() + static_cast<size_t>(y) * wide_ * 3);
    for (int x = width_; x < wide_; ++x) to = std::copy(from + 3 * (width_ - 1), from + 3 * width_, to);
  }
  return padded_.data();
}

VideoOutput::VideoOutput(const char* container, const char* url, int64_t h, int64_t w, const WriteOptions& o)
    : codec_name_(o.codec) {
  AVFormatContext* raw = nullptr;
  const int rc = avformat_alloc_output_context2(&raw, nullptr, container, url);
  if (rc < 0 || !raw) fail_to_write("no container is known for this file name; use .mp4, .avi or .mkv", rc);
  format_.reset(raw);
  raw->flags |= AVFMT_FLAG_BITEXACT;
  // Asked before an encoder is opened: SVT-AV1 1.4 never comes back when it is closed before its first
  // picture.
  const AVCodec* codec = avcodec_find_encoder_by_name(o.codec.c_str());
  if (codec && avformat_query_codec(raw->oformat, codec->id, FF_COMPLIANCE_NORMAL) == 0) fail_to_take();
  codec_ = open_encoder(h, w, o, (raw->oformat->flags & AVFMT_GLOBALHEADER) != 0);
  stream_ = avformat_new_stream(raw, nullptr);
  if (!stream_) throw std::bad_alloc();
  stream_->time_base = codec_->time_base;
  if (o.times.empty()) stream_->avg_frame_rate = codec_->framerate;
  stream_->sample_aspect_ratio = codec_->sample_aspect_ratio;
  const int described = avcodec_parameters_from_context(stream_->codecpar, codec_.get());
  if (described < 0) fail_to_write("cannot describe the stream", described);
  pictures_ = std::make_unique<EncoderFrames>(*codec_);
  for (const double time : o.times) stamps_.push_back(std::llround(time * 1000));
  const size_t t = stamps_.size();
  if (t > 0) stamps_.push_back(t > 1 ? 2 * stamps_[t - 1] - stamps_[t - 2] : stamps_[0] + 40);
}

void VideoOutput::begin(AVIOContext* bytes) {
  format_->pb = bytes;
  const int rc = avformat_write_header(format_.get(), nullptr);
  if (rc < 0) fail_to_take(rc);
}

void VideoOutput::fail_to_take(int code) const {
  fail_to_write("this container does not take codec '" + codec_name_ + "'", code);
}

void VideoOutput::add(const uint8_t* rgb) {
  encode(pictures_->of(rgb, stamps_.empty() ? added_ : stamps_[static_cast<size_t>(added_)]));
  ++added_;
}

void VideoOutput::finish() {
  encode(nullptr);
  const int rc = av_write_trailer(format_.get());
  if (rc < 0) fail_to_write("cannot finish the file", rc);
}

// Without one the last picture would be shown for no time, and players would leave it out. 0: not known.
int64_t VideoOutput::duration_of(int64_t pts) const {
  if (stamps_.empty()) return 1;
  const auto next = std::upper_bound(stamps_.begin(), stamps_.end(), pts);
  return next == stamps_.end() ? 0 : *next - pts;
}

void VideoOutput::encode(const AVFrame* frame) {
  int rc = avcodec_send_frame(codec_.get(), frame);
  if (rc < 0) fail_to_write("cannot encode a frame", rc);
  for (;;) {
    rc = avcodec_receive_packet(codec_.get(), packet_.get());
    if (rc == AVERROR(EAGAIN) || rc == AVERROR_EOF) return;
    if (rc < 0) fail_to_write("cannot encode a frame", rc);
    packet_->duration = duration_of(packet_->pts);
    av_packet_rescale_ts(packet_.get(), codec_->time_base, stream_->time_base);
    packet_->stream_index = stream_->index;
    rc = av_interleaved_write_frame(format_.get(), packet_.get());
    if (rc < 0) fail_to_write("cannot write", rc);
  }
}

}  // namespace vssl::video

#endif  // VSSL_WITH_LIBAV
