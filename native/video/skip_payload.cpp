#include "skip_payload.h"

#ifdef VSSL_WITH_LIBAV

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <utility>

namespace vssl::video {

namespace {

constexpr int64_t kHeaders = 16384;  // bytes of a key frame in which its headers are

// Where libav cuts the packets anew by what is in them, all of it has to be read. Whether it does is told for
// sure when its parser takes packets as they are. The others listed are never cut in these containers.
bool takes_packets_whole(const AVStream* stream) {
  const AVCodecParserContext* parser = av_stream_get_parser(stream);
  if (!parser || (parser->flags & PARSER_FLAG_COMPLETE_FRAMES)) return true;
  switch (stream->codecpar->codec_id) {
    case AV_CODEC_ID_AV1:
    case AV_CODEC_ID_DNXHD:
    case AV_CODEC_ID_HEVC:
    case AV_CODEC_ID_MJPEG:
    case AV_CODEC_ID_MPEG4:
    case AV_CODEC_ID_VP8:
    case AV_CODEC_ID_VP9:
      return true;
    default:
      return false;
  }
}

}  // namespace

thread_local PayloadSkipper* PayloadSkipper::at_work = nullptr;

std::unique_ptr<PayloadSkipper> PayloadSkipper::attach(const Input& input) {
  AVFormatContext* format = input.format.get();
  AVStream* stream = format->streams[input.stream];
  // Elsewhere the list is of key frames alone (Matroska's cues), or made while packets are read.
  const bool listed = std::strncmp(format->iformat->name, "mov,", 4) == 0;
  if (at_work || !listed || !format->pb || !format->pb->read_packet || !format->pb->seek) return nullptr;
  if (!takes_packets_whole(stream)) return nullptr;
  const int64_t size = avio_size(format->pb);
  const int count = avformat_index_get_entries_count(stream);
  std::vector<Packet> packets;
  packets.reserve(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    const AVIndexEntry* entry = avformat_index_get_entry(stream, i);
    if (entry->size <= 0) continue;
    packets.push_back({entry->pos, entry->pos + entry->size, (entry->flags & AVINDEX_KEYFRAME) != 0});
  }
  std::sort(packets.begin(), packets.end(), [](const Packet& a, const Packet& b) { return a.pos < b.pos; });
  // One packet may stand in an edited list twice. Others that overlap belong to a damaged list.
  const auto same = [](const Packet& a, const Packet& b) {
    return a.pos == b.pos && a.end == b.end && a.key == b.key;
  };
  packets.erase(std::unique(packets.begin(), packets.end(), same), packets.end());
  const auto overlap = [](const Packet& a, const Packet& b) { return b.pos < a.end; };
  const bool sound = std::adjacent_find(packets.begin(), packets.end(), overlap) == packets.end();
  if (size <= 0 || packets.empty() || !sound) return nullptr;
  return std::unique_ptr<PayloadSkipper>(new PayloadSkipper(format->pb, std::move(packets), size));
}

PayloadSkipper::PayloadSkipper(AVIOContext* context, std::vector<Packet> packets, int64_t file_size)
    : context_(context),
      packets_(std::move(packets)),
      file_size_(file_size),
      position_(context->pos),
      file_position_(context->pos),
      read_(context->read_packet),
      seek_(context->seek) {
  at_work = this;
  context->read_packet = read;
  context->seek = seek;
}

PayloadSkipper::~PayloadSkipper() {
  if (file_position_ != context_->pos) seek_(context_->opaque, context_->pos, SEEK_SET);
  at_work = nullptr;
  context_->read_packet = read_;
  context_->seek = seek_;
}

PayloadSkipper::Listed PayloadSkipper::find(const AVPacket* packet) const {
  const auto it = std::lower_bound(packets_.begin(), packets_.end(), packet->pos,
                                   [](const Packet& p, int64_t at) { return p.pos < at; });
  const bool cut = (packet->flags & AV_PKT_FLAG_CORRUPT) != 0;
  if (it == packets_.end() || it->pos != packet->pos) return Listed::kNot;
  if (!cut && it->end - it->pos != packet->size) return Listed::kNot;
  return it->key ? Listed::kKey : Listed::kOther;
}

int64_t PayloadSkipper::run_length() const {
  const auto next = std::upper_bound(packets_.begin(), packets_.end(), position_,
                                     [](int64_t at, const Packet& p) { return at < p.pos; });
  const int64_t rest = (next == packets_.end() ? file_size_ : next->pos) - position_;
  if (next == packets_.begin()) return -rest;
  const Packet& here = *(next - 1);
  if (position_ >= here.end) return -rest;  // behind it: sound, or the container's own
  const int64_t skipped_from = !here.key ? here.pos : heads_only_ ? here.pos + kHeaders : here.end;
  return position_ < skipped_from ? position_ - std::min(skipped_from, here.end) : here.end - position_;
}

int PayloadSkipper::read_file(uint8_t* out, int count) {
  if (file_position_ != position_) {
    const int64_t moved = seek_(context_->opaque, position_, SEEK_SET);
    if (moved < 0) return static_cast<int>(moved);
    file_position_ = position_;
  }
  const int got = read_(context_->opaque, out, count);
  if (got > 0) file_position_ += got;
  return got;
}

int PayloadSkipper::read(void*, uint8_t* out, int count) {
  PayloadSkipper* const io = at_work;
  if (io->position_ >= io->file_size_) return AVERROR_EOF;
  const int64_t run = io->run_length();
  int64_t most = std::min<int64_t>(count, run < 0 ? -run : run);
  most = std::min(most, io->file_size_ - io->position_);
  int got = static_cast<int>(most);
  if (run > 0) {
    std::memset(out, 0, static_cast<size_t>(most));
  } else {
    got = io->read_file(out, got);
  }
  if (got > 0) io->position_ += got;
  return got;
}

int64_t PayloadSkipper::seek(void*, int64_t offset, int whence) {
  PayloadSkipper* const io = at_work;
  if ((whence & ~AVSEEK_FORCE) != SEEK_SET) {
    const int64_t result = io->seek_(io->context_->opaque, offset, whence);
    if (!(whence & AVSEEK_SIZE) && result >= 0) io->position_ = io->file_position_ = result;
    return result;
  }
  return io->position_ = offset;  // the file itself follows when something is read
}

}  // namespace vssl::video

#endif  // VSSL_WITH_LIBAV
