#include "reader.h"

#ifdef VSSL_WITH_LIBAV

#include <algorithm>

namespace vssl::video {

namespace {
// Packets fed beyond the next key frame before the decoder is drained: more than any codec's reordering
// delay.
constexpr int32_t kBeyondKey = 64;
}  // namespace

Reader::Reader(std::string path, std::shared_ptr<const FileIndex> index)
    : index_(index), packets_(std::move(path), std::move(index)) {}

void Reader::begin(int32_t segment, int32_t start) {
  segment_ = start_ = -1;  // stays so when something below throws
  packets_.move_to(index_->segments[start].packet);
  // A fresh decoder rather than a flushed one: nothing of earlier pictures can shine through in damaged
  // files.
  codec_ = open_decoder(packets_.stream());
  const auto count = static_cast<int32_t>(index_->segments.size());
  const auto last_packet = static_cast<int32_t>(index_->packets.size()) - 1;
  stop_packet_ = segment + 1 < count ? index_->segments[segment + 1].packet + kBeyondKey : last_packet;
  if (segment + 1 < count) packets_.keep_from(index_->segments[segment + 1].packet);
  highest_given_ = -1;
  outputs_ = 0;
  fed_position_ = -1;
  drained_ = ended_ = false;
  const Segment& s = index_->segments[segment];
  came_.assign(static_cast<size_t>(s.last - s.first), false);
  segment_ = segment;
  start_ = start;
}

int32_t Reader::position_of(const AVFrame* frame) {
  const auto count = static_cast<int32_t>(index_->info.times.size());
  switch (index_->numbering) {
    case Numbering::kFeeding:
      return drained_ ? fed_position_ + 1 : fed_position_;
    case Numbering::kCount:
      return outputs_++;
    default:
      break;
  }
  if (frame->pts == AV_NOPTS_VALUE || frame->pts < 0 || frame->pts >= count) return -1;
  return static_cast<int32_t>(frame->pts);  // feed() put it there
}

bool Reader::take_outputs(const Sink& sink) {
  const Segment& s = index_->segments[segment_];
  while (!ended_) {
    const int rc = avcodec_receive_frame(codec_.get(), frame_.get());
    if (rc == AVERROR(EAGAIN)) return true;
    if (rc < 0) {  // the end, or a decoder that gives up
      if (rc == AVERROR_EOF || drained_) ended_ = true;
      return true;
    }
    ++decoded_;
    const int32_t position = position_of(frame_.get());
    if (position >= s.last) {
      ended_ = true;
      return true;
    }
    if (position < s.first || came_[position - s.first]) continue;
    if (frame_->flags & AV_FRAME_FLAG_CORRUPT) continue;
    came_[position - s.first] = true;
    highest_given_ = std::max(highest_given_, position);
    if (!sink(position, frame_.get())) return false;
  }
  return true;
}

void Reader::feed() {
  av_packet_unref(packet_.get());
  int32_t number = 0;
  const bool got = packets_.take(packet_.get(), &number);
  if (!got && packets_.strayed()) {  // pictures may be given once more, with the same bytes
    begin(segment_, start_);
    return;
  }
  if (!got || number > stop_packet_) {
    drained_ = true;
    avcodec_send_packet(codec_.get(), nullptr);
    return;
  }
  const PacketRecord& r = index_->packets[number];
  if (!r.feed) return;
  fed_position_ = r.position;
  // The picture's number travels through the decoder in the place of its time stamp.
  packet_->pts = index_->numbering == Numbering::kTime && r.position >= 0 ? r.position : AV_NOPTS_VALUE;
  packet_->dts = AV_NOPTS_VALUE;
  avcodec_send_packet(codec_.get(), packet_.get());  // damaged data: the picture will be missing
}

bool Reader::run(const Sink& sink) {
  while (!ended_) {
    if (!take_outputs(sink)) return false;
    if (ended_) break;
    if (drained_) {
      ended_ = true;
      break;
    }
    feed();
  }
  return true;
}

bool Reader::note_end() {
  const bool none = std::find(came_.begin(), came_.end(), true) == came_.end();
  std::lock_guard<std::mutex> lock(index_->findings.mutex);
  if (none && start_ > 0) {
    // A "key frame" that needs what is before it. Next try from twice as far back.
    const int32_t back = std::max(1, 2 * (segment_ - start_));
    index_->findings.start_of[segment_] = std::max(0, segment_ - back);
    return false;
  }
  const Segment& s = index_->segments[segment_];
  for (int32_t p = s.first; p < s.last; ++p) {
    if (!came_[p - s.first]) index_->findings.missing.insert(p);
  }
  return true;
}

void Reader::decode(int32_t segment, int32_t from, const Sink& sink) {
  for (;;) {
    int32_t start = segment;
    {
      std::lock_guard<std::mutex> lock(index_->findings.mutex);
      const auto it = index_->findings.start_of.find(segment);
      if (it != index_->findings.start_of.end()) start = it->second;
    }
    if (segment_ != segment || start_ != start || from <= highest_given_) begin(segment, start);
    if (!run(sink)) return;
    if (note_end()) return;
  }
}

}  // namespace vssl::video

#endif  // VSSL_WITH_LIBAV
