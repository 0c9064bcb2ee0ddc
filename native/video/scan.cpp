#include "scan.h"

#ifdef VSSL_WITH_LIBAV

extern "C" {
#include <libavcodec/bsf.h>
}

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

#include "skip_payload.h"

namespace vssl::video {

namespace {

constexpr int64_t kMaxStateBytes = int64_t{64} << 20;  // of headers and palettes that change on the way
constexpr int kHeaderBytes = 4096;  // of a packet in which its headers are looked for: they come first

constexpr int64_t kMostTicks = int64_t{1} << 60;  // of a time stamp, so that sums cannot overflow

int64_t plausible(int64_t stamp) { return stamp > -kMostTicks && stamp < kMostTicks ? stamp : kNoTime; }

struct ParserCloser {
  void operator()(AVCodecParserContext* p) const { av_parser_close(p); }
};
struct FilterCloser {
  void operator()(AVBSFContext* b) const { av_bsf_free(&b); }
};

// MPEG-4 in AVI: a packet may hold two pictures, and a packet of a few bytes later on stands for the second
// one. Such a placeholder with no second picture before it means "nothing new" and gives none.
class PlaceholderCounter {
 public:
  // AVI, and Matroska with the codec names of AVI: elsewhere a picture may be as small.
  PlaceholderCounter(const AVInputFormat* format, const AVCodecParameters* p)
      : active_(p->codec_id == AV_CODEC_ID_MPEG4 &&
                (std::strcmp(format->name, "avi") == 0 ||
                 (std::strncmp(format->name, "matroska", 8) == 0 && p->codec_tag != 0))) {}

  bool is_nothing_new(const AVPacket* packet) {
    if (!active_) return false;
    if (packet->size <= kPlaceholder) return owed_ == 0 || --owed_ < 0;
    int pictures = 0;
    const uint8_t* p = packet->data;
    const uint8_t* const end = p + packet->size - 3;
    while (p < end) {
      p = static_cast<const uint8_t*>(std::memchr(p, 1, static_cast<size_t>(end - p)));
      if (!p) break;
      pictures +=
          p - packet->data >= 2 && p[-1] == 0 && p[-2] == 0 && p[1] == 0xB6;  // start code of a picture
      ++p;
    }
    owed_ = std::max(0, owed_ + pictures - 1);
    return false;
  }

 private:
  const bool active_;
  int owed_ = 0;
};

// Whether a packet that the container calls a key frame is one by its own headers. Containers without a list
// of key frames call every packet one, and decoding from the wrong packet gives grey pictures without an
// error.
class KeyCheck {
 public:
  explicit KeyCheck(const AVCodecParameters* parameters) : codec_(parameters->codec_id) {
    if (is_intra_only(*parameters)) return;
    parser_.reset(av_parser_init(codec_));
    if (!parser_) return;
    parser_->flags |= PARSER_FLAG_COMPLETE_FRAMES;
    context_.reset(avcodec_alloc_context3(nullptr));
    if (!context_ || avcodec_parameters_to_context(context_.get(), parameters) < 0) throw std::bad_alloc();
  }

  bool is_key(const AVPacket* packet) {
    if (!parser_) return true;
    parser_->key_frame = -1;
    parser_->pict_type = AV_PICTURE_TYPE_NONE;
    uint8_t* data = nullptr;
    int size = 0;
    av_parser_parse2(parser_.get(), context_.get(), &data, &size, packet->data, packet->size, packet->pts,
                     packet->dts, packet->pos);
    const bool intra = parser_->pict_type == AV_PICTURE_TYPE_I || parser_->pict_type == AV_PICTURE_TYPE_SI;
    // In H.264 an intra picture may be a fit place without saying so; its decoder gives nothing before one
    // is.
    if (parser_->key_frame == 0) return codec_ == AV_CODEC_ID_H264 && intra;
    return parser_->key_frame == 1 || intra || parser_->pict_type == AV_PICTURE_TYPE_NONE;
  }

 private:
  const AVCodecID codec_;
  std::unique_ptr<AVCodecParserContext, ParserCloser> parser_;
  CodecPtr context_;
};

// Decoder headers that stand among the pictures, as in transport streams: they may come once, at the join of
// two recordings, and not again at later key frames.
class HeaderFinder {
 public:
  explicit HeaderFinder(const AVStream* stream, const AVCodecParameters* parameters) {
    const AVBitStreamFilter* filter = av_bsf_get_by_name("extract_extradata");
    // Streams in the manner of MP4 have their headers in the container.
    const bool boxed = parameters->extradata_size > 0 && parameters->extradata[0] == 1;
    if (!filter || boxed || !is_listed(filter->codec_ids, parameters->codec_id)) return;
    AVBSFContext* raw = nullptr;
    if (av_bsf_alloc(filter, &raw) < 0) throw std::bad_alloc();
    filter_.reset(raw);
    if (avcodec_parameters_copy(raw->par_in, parameters) < 0) throw std::bad_alloc();
    raw->time_base_in = stream->time_base;
    if (av_bsf_init(raw) < 0) filter_.reset();
  }

  // The headers in the packet, or nothing.
  std::vector<uint8_t> find(const AVPacket* packet) {
    if (!filter_) return {};
    av_packet_unref(part_.get());
    if (av_packet_ref(part_.get(), packet) < 0) throw std::bad_alloc();
    part_->size = std::min(part_->size, kHeaderBytes);
    std::vector<uint8_t> found;
    if (av_bsf_send_packet(filter_.get(), part_.get()) < 0) return found;
    while (av_bsf_receive_packet(filter_.get(), part_.get()) >= 0) {
      size_t size = 0;
      const uint8_t* data = av_packet_get_side_data(part_.get(), AV_PKT_DATA_NEW_EXTRADATA, &size);
      if (data && size > 0) found.assign(data, data + size);
      av_packet_unref(part_.get());
    }
    return found;
  }

 private:
  static bool is_listed(const AVCodecID* ids, AVCodecID codec) {
    for (; ids && *ids != AV_CODEC_ID_NONE; ++ids) {
      if (*ids == codec) return true;
    }
    return ids == nullptr;
  }
  std::unique_ptr<AVBSFContext, FilterCloser> filter_;
  PacketPtr part_ = make_packet();
};

// Collects what changes, once each time it does.
class StateLog {
 public:
  StateLog(StreamStates& states, const AVCodecParameters* parameters) : states_(states) {
    if (parameters->extradata_size > 0)
      headers_.assign(parameters->extradata, parameters->extradata + parameters->extradata_size);
  }

  void add_headers(int32_t packet, std::vector<uint8_t> headers) {
    if (headers.empty() || headers == headers_) return;
    headers_ = headers;
    add(kHeaders, packet, std::move(headers));
  }

  void add_side_data(int32_t number, const AVPacket* packet) {
    for (int i = 0; i < packet->side_data_elems; ++i) {
      const AVPacketSideData& side = packet->side_data[i];
      std::vector<uint8_t> bytes(side.data, side.data + side.size);
      if (side.type == AV_PKT_DATA_NEW_EXTRADATA) add_headers(number, std::move(bytes));
      if (side.type == AV_PKT_DATA_PALETTE && bytes != palette_) {
        palette_ = bytes;
        add(kPalette, number, std::move(bytes));
      }
      if (side.type == AV_PKT_DATA_PARAM_CHANGE) add(kParameters, number, std::move(bytes));
    }
  }

  bool is_full() const { return bytes_ > kMaxStateBytes; }

 private:
  void add(StateKind kind, int32_t packet, std::vector<uint8_t> bytes) {
    bytes_ += static_cast<int64_t>(bytes.size() + sizeof(StreamState));
    states_[kind].push_back({packet, std::move(bytes)});
  }
  StreamStates& states_;
  std::vector<uint8_t> headers_, palette_;
  int64_t bytes_ = 0;
};

PacketRecord record_of(const AVPacket* packet) {
  PacketRecord r;
  r.pts = plausible(packet->pts);
  r.dts = plausible(packet->dts);
  r.pos = packet->pos;
  r.size = packet->size;
  return r;
}

}  // namespace

PacketScan scan_packets(const Input& input, const AVCodecParameters* parameters, FirstPicture* first,
                        bool whole) {
  PacketScan scan;
  const std::unique_ptr<PayloadSkipper> skipper = whole ? nullptr : PayloadSkipper::attach(input);
  if (skipper && !first) skipper->skip_keys();
  const AVStream* stream = input.format->streams[input.stream];
  PlaceholderCounter placeholders(input.format->iformat, parameters);
  KeyCheck keys(parameters);
  HeaderFinder headers(stream, parameters);
  StateLog states(scan.states, parameters);
  const int64_t file_size = input.format->pb ? avio_size(input.format->pb) : -1;
  const PacketPtr packet = make_packet();
  int64_t empty = 0;
  for (;;) {
    const int rc = read_video_packet(packet.get(), input);
    if (rc == AVERROR_EOF) break;
    if (rc < 0) {
      scan.damage = rc == AVERROR_EXIT ? "reading took too long" : av_reason(rc);
      break;
    }
    const auto number = static_cast<int32_t>(scan.packets.size());
    states.add_side_data(number, packet.get());
    if (packet->size <= kEmptyPacket) {
      av_packet_unref(packet.get());
      if (++empty > kMaxPackets) break;
      continue;
    }
    states.add_headers(number, headers.find(packet.get()));
    PacketRecord r = record_of(packet.get());
    using Listed = PayloadSkipper::Listed;
    const Listed listed = skipper ? skipper->find(packet.get()) : Listed::kKey;
    if (listed == Listed::kNot) {
      scan.strayed = true;
      break;
    }
    r.key = (packet->flags & AV_PKT_FLAG_KEY) != 0 && listed == Listed::kKey && keys.is_key(packet.get());
    if (first && r.key && first->offer(packet.get()) && skipper) skipper->skip_keys();
    // A packet in pieces (transport streams) spans more bytes than its size, so only the start is compared
    // there.
    const bool cut = (packet->flags & AV_PKT_FLAG_CORRUPT) && file_size > 0 && packet->pos >= 0 &&
                     packet->pos + packet->size >= file_size;
    r.feed = !cut && !placeholders.is_nothing_new(packet.get());
    scan.cut += cut;
    scan.packets.push_back(r);
    scan.hidden.push_back((packet->flags & AV_PKT_FLAG_DISCARD) != 0);
    scan.durations.push_back(packet->duration);
    av_packet_unref(packet.get());
    if (static_cast<int64_t>(scan.packets.size()) >= kMaxPackets) {
      scan.damage = "more than " + std::to_string(kMaxPackets) + " packets";
      break;
    }
    if (states.is_full()) {
      scan.damage = "its decoder headers or palettes change too often";
      break;
    }
  }
  return scan;
}

}  // namespace vssl::video

#endif  // VSSL_WITH_LIBAV
