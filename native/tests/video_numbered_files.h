// Makes the files of the test of numbered pictures: encodes pictures that show their number, then changes the
// packets (flags, time stamps, order) before they are written, as careless cameras and muxers do.
#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>
}

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "video_numbered.h"

namespace vssl::video {

struct PacketFree {
  void operator()(AVPacket* p) const { av_packet_free(&p); }
};
using TestPacket = std::unique_ptr<AVPacket, PacketFree>;

// An encoded stream: packets in decoding order, times in units of 1 / 25 s.
struct TestStream {
  std::shared_ptr<AVCodecParameters> parameters;
  std::vector<TestPacket> packets;
};

struct EncoderSettings {
  std::string codec = "mpeg4";
  int gop = 10, b_frames = 0;
  bool global_header = true;
  std::string options;  // "name=value:..." of the encoder
  int width = 64, height = 48;
  bool still = false;  // every picture shows the first number
  AVPixelFormat format = AV_PIX_FMT_YUV420P;
};

inline bool has_encoder(const std::string& name) {
  return avcodec_find_encoder_by_name(name.c_str()) != nullptr;
}

inline void expect_av(int rc, const char* what) {
  if (rc < 0) throw std::runtime_error(std::string(what) + " failed with " + std::to_string(rc));
}

// The luma plane shows the number; chroma is neutral.
inline void draw_number(AVFrame* frame, int n) {
  for (int y = 0; y < frame->height; ++y) {
    for (int x = 0; x < frame->width; ++x) {
      const int bit = kColumns * (y * kRows / frame->height) + x * kColumns / frame->width;
      // limited range: 28 and 228 of 255
      frame->data[0][y * frame->linesize[0] + x] = (n >> bit) & 1 ? 212 : 40;
    }
  }
  for (int p = 1; p < 3 && frame->data[p]; ++p)
    std::memset(frame->data[p], 128, static_cast<size_t>(frame->linesize[p]) * ((frame->height + 1) / 2));
}

inline TestStream encode_numbers(int first, int count, const EncoderSettings& s) {
  const AVCodec* codec = avcodec_find_encoder_by_name(s.codec.c_str());
  AVCodecContext* c = avcodec_alloc_context3(codec);
  c->width = s.width;
  c->height = s.height;
  c->pix_fmt = s.format;
  c->time_base = {1, 25};
  c->framerate = {25, 1};
  c->gop_size = s.gop;
  c->max_b_frames = s.b_frames;
  c->bit_rate = 4'000'000;
  c->qmin = 1;
  c->qmax = 4;
  c->thread_count = 1;
  c->strict_std_compliance = FF_COMPLIANCE_UNOFFICIAL;
  if (s.global_header) c->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  AVDictionary* options = nullptr;
  av_dict_parse_string(&options, s.options.c_str(), "=", ":", 0);
  expect_av(avcodec_open2(c, codec, &options), "opening the encoder");
  av_dict_free(&options);
  TestStream stream;
  stream.parameters = std::shared_ptr<AVCodecParameters>(
      avcodec_parameters_alloc(), [](AVCodecParameters* p) { avcodec_parameters_free(&p); });
  avcodec_parameters_from_context(stream.parameters.get(), c);
  AVFrame* frame = av_frame_alloc();
  const auto receive = [&] {
    for (;;) {
      TestPacket packet(av_packet_alloc());
      if (avcodec_receive_packet(c, packet.get()) < 0) return;
      stream.packets.push_back(std::move(packet));
    }
  };
  for (int i = 0; i < count; ++i) {
    av_frame_unref(frame);
    frame->width = s.width;
    frame->height = s.height;
    frame->format = s.format;
    expect_av(av_frame_get_buffer(frame, 0), "a frame");
    draw_number(frame, s.still ? first : first + i);
    frame->pts = i;
    expect_av(avcodec_send_frame(c, frame), "encoding");
    receive();
  }
  avcodec_send_frame(c, nullptr);
  receive();
  av_frame_free(&frame);
  avcodec_free_context(&c);
  return stream;
}

// Appends packets behind the stream's, `shift` units later; their headers come with the first one when they
// differ and `tell` says so.
inline void append_stream(TestStream& to, TestStream from, int64_t shift, bool tell) {
  if (tell) {
    uint8_t* data = av_packet_new_side_data(from.packets.front().get(), AV_PKT_DATA_NEW_EXTRADATA,
                                            static_cast<size_t>(from.parameters->extradata_size));
    std::memcpy(data, from.parameters->extradata, static_cast<size_t>(from.parameters->extradata_size));
  }
  for (TestPacket& p : from.packets) {
    p->pts += shift;
    p->dts += shift;
    to.packets.push_back(std::move(p));
  }
}

// Writes the stream; the container is chosen by the suffix. Times are taken as they are, whatever the muxer
// thinks.
inline void write_stream(const std::string& path, const TestStream& stream, const std::string& options = "",
                         const std::function<void(AVStream*)>& describe = {}) {
  AVFormatContext* f = nullptr;
  expect_av(avformat_alloc_output_context2(&f, nullptr, nullptr, path.c_str()), "the container");
  AVStream* s = avformat_new_stream(f, nullptr);
  avcodec_parameters_copy(s->codecpar, stream.parameters.get());
  s->codecpar->codec_tag = 0;
  s->time_base = {1, 25};
  s->avg_frame_rate = {25, 1};
  if (describe) describe(s);
  expect_av(avio_open(&f->pb, path.c_str(), AVIO_FLAG_WRITE), "the file");
  AVDictionary* dictionary = nullptr;
  av_dict_parse_string(&dictionary, options.c_str(), "=", ":", 0);
  expect_av(avformat_write_header(f, &dictionary), "the header");
  av_dict_free(&dictionary);
  for (const TestPacket& p : stream.packets) {
    AVPacket* copy = av_packet_clone(p.get());
    av_packet_rescale_ts(copy, {1, 25}, s->time_base);
    if (copy->duration == 0) copy->duration = av_rescale_q(1, {1, 25}, s->time_base);
    expect_av(av_write_frame(f, copy), path.c_str());
    av_packet_free(&copy);
  }
  av_write_trailer(f);
  avio_closep(&f->pb);
  avformat_free_context(f);
}

// One element of Matroska: its identifier, its size in eight bytes, its content.
inline std::vector<uint8_t> element(uint32_t id, const std::vector<uint8_t>& content) {
  std::vector<uint8_t> out;
  for (int shift = 24; shift >= 0; shift -= 8) {
    if (id >> shift) out.push_back(static_cast<uint8_t>(id >> shift));
  }
  out.push_back(1);
  for (int shift = 48; shift >= 0; shift -= 8)
    out.push_back(static_cast<uint8_t>(static_cast<uint64_t>(content.size()) >> shift));
  out.insert(out.end(), content.begin(), content.end());
  return out;
}

inline std::vector<uint8_t> number_element(uint32_t id, uint64_t value) {
  std::vector<uint8_t> bytes;
  for (int shift = 56; shift >= 0; shift -= 8) bytes.push_back(static_cast<uint8_t>(value >> shift));
  return element(id, bytes);
}

inline std::vector<uint8_t> text_element(uint32_t id, const std::string& text) {
  return element(id, {text.begin(), text.end()});
}

inline std::vector<uint8_t> joined(const std::vector<std::vector<uint8_t>>& parts) {
  std::vector<uint8_t> out;
  for (const auto& part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

// A Matroska file with a cluster for each packet: libavformat's own muxer refuses the clocks that careless
// ones write. `codec`: V_MPEG4/ISO/ASP or V_MJPEG.
inline void write_matroska(const std::string& path, const TestStream& stream, const std::string& codec) {
  const AVCodecParameters& p = *stream.parameters;
  const std::vector<uint8_t> video = joined({number_element(0xB0, static_cast<uint64_t>(p.width)),
                                             number_element(0xBA, static_cast<uint64_t>(p.height))});
  const std::vector<uint8_t> track =
      joined({number_element(0xD7, 1), number_element(0x73C5, 1), number_element(0x83, 1),
              number_element(0x23E383, 40'000'000), text_element(0x86, codec),
              element(0x63A2, {p.extradata, p.extradata + p.extradata_size}), element(0xE0, video)});
  std::vector<std::vector<uint8_t>> segment = {element(0x1549A966, number_element(0x2AD7B1, 1'000'000)),
                                               element(0x1654AE6B, element(0xAE, track))};
  for (const TestPacket& packet : stream.packets) {
    std::vector<uint8_t> block = {0x81, 0, 0,
                                  static_cast<uint8_t>(packet->flags & AV_PKT_FLAG_KEY ? 0x80 : 0)};
    block.insert(block.end(), packet->data, packet->data + packet->size);
    segment.push_back(element(
        0x1F43B675,
        joined({number_element(0xE7, static_cast<uint64_t>(packet->pts) * 40), element(0xA3, block)})));
  }
  const std::vector<uint8_t> header =
      joined({number_element(0x4286, 1), number_element(0x42F7, 1), number_element(0x42F2, 4),
              number_element(0x42F3, 8), text_element(0x4282, "matroska"), number_element(0x4287, 4),
              number_element(0x4285, 2)});
  write_bytes(path, joined({element(0x1A45DFA3, header), element(0x18538067, joined(segment))}));
}

}  // namespace vssl::video
