#include "convert.h"

#ifdef VSSL_WITH_LIBAV

#include "video.h"

extern "C" {
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
}

#include <cstring>
#include <string>

namespace vssl::video {

namespace {

struct ScalerCloser {
  void operator()(SwsContext* c) const { sws_freeContext(c); }
};

bool is_planar_8bit(const AVPixFmtDescriptor* d, uint64_t refused_flags) {
  if (d->flags &
      (AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BITSTREAM | AV_PIX_FMT_FLAG_HWACCEL | refused_flags)) {
    return false;
  }
  for (int c = 0; c < d->nb_components; ++c) {
    const AVComponentDescriptor& comp = d->comp[c];
    if (comp.depth != 8 || comp.step != 1 || comp.offset != 0 || comp.shift != 0) return false;
  }
  return true;
}

// The 8-bit planar format that a foreign format is converted to: same subsampling, no change of range or
// matrix.
AVPixelFormat planar_format(const AVPixFmtDescriptor* d) {
  if (d->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BAYER)) return AV_PIX_FMT_GBRP;
  if (d->nb_components <= 2) return AV_PIX_FMT_GRAY8;  // gray, gray with alpha
  if (d->log2_chroma_w == 1 && d->log2_chroma_h == 1) return AV_PIX_FMT_YUV420P;
  if (d->log2_chroma_w == 1 && d->log2_chroma_h == 0) return AV_PIX_FMT_YUV422P;
  return AV_PIX_FMT_YUV444P;
}

FramePtr to_format(const AVFrame* frame, const AVPixFmtDescriptor* d, AVPixelFormat target) {
  FramePtr out = make_frame();
  out->format = target;
  out->width = frame->width;
  out->height = frame->height;
  const int allocated = av_frame_get_buffer(out.get(), 64);
  // Exact integer paths: the same bytes on every CPU.
  thread_local std::unique_ptr<SwsContext, ScalerCloser> scaler;
  scaler.reset(sws_getCachedContext(
      scaler.release(), frame->width, frame->height, static_cast<AVPixelFormat>(frame->format), frame->width,
      frame->height, target, SWS_BILINEAR | SWS_ACCURATE_RND | SWS_BITEXACT | SWS_FULL_CHR_H_INT, nullptr,
      nullptr, nullptr));
  if (allocated < 0 || !scaler ||
      sws_scale(scaler.get(), frame->data, frame->linesize, 0, frame->height, out->data, out->linesize) < 0) {
    throw Error("ERR_VSSL_VIDEO_DECODE",
                std::string("pixel format '") + d->name + "' cannot be converted to 8 bits");
  }
  return out;
}

// Luma weights: what the stream says; unsaid, BT.601 below 720 lines and BT.709 from there on, as players do.
void set_matrix(Picture& picture, const AVFrame* frame) {
  switch (frame->colorspace) {
    case AVCOL_SPC_BT709:
      picture.kr = 0.2126f, picture.kb = 0.0722f;
      return;
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL:
      picture.kr = 0.2627f, picture.kb = 0.0593f;
      return;
    case AVCOL_SPC_SMPTE240M:
      picture.kr = 0.212f, picture.kb = 0.087f;
      return;
    case AVCOL_SPC_FCC:
      picture.kr = 0.30f, picture.kb = 0.11f;
      return;
    case AVCOL_SPC_BT470BG:
    case AVCOL_SPC_SMPTE170M:
      return;  // BT.601
    default:
      if (frame->height >= 720) picture.kr = 0.2126f, picture.kb = 0.0722f;
  }
}

bool has_full_range_format(int format) {
  switch (format) {
    case AV_PIX_FMT_YUVJ420P:
    case AV_PIX_FMT_YUVJ422P:
    case AV_PIX_FMT_YUVJ444P:
    case AV_PIX_FMT_YUVJ440P:
    case AV_PIX_FMT_YUVJ411P:
      return true;
    default:
      return false;
  }
}

const AVPixFmtDescriptor* checked_format(const AVFrame* frame) {
  const auto* d = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(frame->format));
  if (!d || frame->width <= 0 || frame->height <= 0) {
    throw Error("ERR_VSSL_VIDEO_DECODE", "the decoder gave a picture of unknown format");
  }
  return d;
}

}  // namespace

PicturePtr picture_from_frame(const AVFrame* frame, const Orientation& orientation, int shrink) {
  const auto* d = checked_format(frame);
  FramePtr converted;
  const AVFrame* source = frame;
  if (!is_planar_8bit(d, AV_PIX_FMT_FLAG_BAYER)) {
    converted = to_format(frame, d, planar_format(d));
    source = converted.get();
    d = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(source->format));
  }
  auto picture = std::make_shared<Picture>();
  const bool rgb = (d->flags & AV_PIX_FMT_FLAG_RGB) != 0;
  const int planes = d->nb_components >= 3 ? 3 : 1;  // alpha is left out
  picture->model = rgb ? ColorModel::kRgb : planes == 1 ? ColorModel::kGray : ColorModel::kYuv;
  picture->full_range = frame->color_range == AVCOL_RANGE_JPEG || has_full_range_format(frame->format) ||
                        (picture->model == ColorModel::kGray && frame->color_range != AVCOL_RANGE_MPEG);
  // A matrix of "RGB" on YUV samples (GBR streams mislabelled) falls to the default of set_matrix.
  set_matrix(*picture, frame);
  PlaneView views[3];
  for (int p = 0; p < planes; ++p) {
    const int sx = p > 0 && !rgb ? d->log2_chroma_w : 0, sy = p > 0 && !rgb ? d->log2_chroma_h : 0;
    const int from = d->comp[p].plane;
    views[p].data = source->data[from];
    views[p].stride = source->linesize[from];
    views[p].width = -((-source->width) >> sx);
    views[p].height = -((-source->height) >> sy);
    views[p].extent_x = static_cast<double>(source->width) / (1 << sx);
    views[p].extent_y = static_cast<double>(source->height) / (1 << sy);
  }
  set_planes(*picture, views, planes, orientation, shrink);
  return picture;
}

RgbaPicture rgba_from_frame(const AVFrame* frame, const Orientation& orientation) {
  constexpr int kBytes = 4;  // a pixel
  const FramePtr rgba = to_format(frame, checked_format(frame), AV_PIX_FMT_RGBA);
  PlaneView view;
  view.data = rgba->data[0];
  view.stride = rgba->linesize[0];
  view.step = kBytes;
  view.width = frame->width;
  view.height = frame->height;
  view = upright(view, orientation);
  RgbaPicture out;
  out.height = view.height;
  out.width = view.width;
  out.rgba.resize(static_cast<size_t>(view.height) * view.width * kBytes);
  uint8_t* to = out.rgba.data();
  for (int y = 0; y < view.height; ++y) {
    const uint8_t* from = view.data + y * view.stride;
    for (int x = 0; x < view.width; ++x, from += view.step, to += kBytes) std::memcpy(to, from, kBytes);
  }
  return out;
}

}  // namespace vssl::video

#endif  // VSSL_WITH_LIBAV
