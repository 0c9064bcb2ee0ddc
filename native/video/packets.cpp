#include "packets.h"

#ifdef VSSL_WITH_LIBAV

#include <algorithm>

namespace vssl::video {

namespace {
constexpr int32_t kReadAhead = 48;  // packets that are rather read over than sought over
constexpr int kRecognise = 64;      // packets after a seek among which one must be found in the index
}  // namespace

PacketSource::PacketSource(Origin origin, std::shared_ptr<const FileIndex> index)
    : origin_(std::move(origin)), index_(std::move(index)), input_(open_input(origin_)) {}

void PacketSource::throw_changed() const {
  throw Error("ERR_VSSL_VIDEO_DECODE",
              "the file gives other packets than when it was indexed; was it overwritten?");
}

void PacketSource::reopen() {
  input_ = open_input(origin_);
  kept_.clear();
  read_next_ = cursor_ = kept_first_ = 0;
  strayed_ = false;
}

bool PacketSource::matches(const AVPacket* p, const PacketRecord& r) const {
  if (p->size != r.size) return false;
  if (p->pos >= 0 && r.pos >= 0) return p->pos == r.pos;
  if (p->pts != AV_NOPTS_VALUE && r.pts != kNoTime) return p->pts == r.pts;
  return p->dts == AV_NOPTS_VALUE || r.dts == kNoTime || p->dts == r.dts;
}

// Whether the packet is number n and no other: some containers keep many packets of one size at one position.
bool PacketSource::is_surely(const AVPacket* p, int32_t n) const {
  const PacketRecord& r = index_->packets[n];
  if (!matches(p, r)) return false;
  const auto alike = [&](int32_t other) {
    if (other < 0 || other >= static_cast<int32_t>(index_->packets.size())) return false;
    return index_->packets[other].pos == r.pos && r.pos >= 0;
  };
  if (!alike(n - 1) && !alike(n + 1)) return true;
  const bool timed = p->pts != AV_NOPTS_VALUE && r.pts != kNoTime;
  return timed ? p->pts == r.pts : p->dts != AV_NOPTS_VALUE && p->dts == r.dts;
}

bool PacketSource::read(AVPacket* out) {
  for (;;) {
    if (read_next_ >= static_cast<int32_t>(index_->packets.size())) return false;
    if (read_video_packet(out, input_) < 0) return false;
    if (out->size > kEmptyPacket) break;
    av_packet_unref(out);
  }
  if (!matches(out, index_->packets[read_next_])) {
    av_packet_unref(out);
    strayed_ = true;
    return false;
  }
  ++read_next_;
  return true;
}

// Seeks to or before the packet, then reads until the demuxer's place among the known packets is certain.
bool PacketSource::seek(int32_t number) {
  const PacketRecord& target = index_->packets[number];
  const int64_t when = target.dts != kNoTime ? target.dts : target.pts;
  if (when == kNoTime) return false;
  kept_.clear();
  input_.deadline->restart(kReadSeconds);
  if (av_seek_frame(input_.format.get(), input_.stream, when, AVSEEK_FLAG_BACKWARD) < 0) return false;
  PacketPtr packet = make_packet();
  for (int i = 0; i < kRecognise; ++i) {
    av_packet_unref(packet.get());
    if (read_video_packet(packet.get(), input_) < 0) return false;
    if (packet->size <= kEmptyPacket) continue;
    for (int32_t n = number; n >= 0; --n) {
      if (!is_surely(packet.get(), n)) continue;
      kept_.push_back(std::move(packet));
      kept_first_ = n;
      read_next_ = n + 1;
      strayed_ = false;
      return true;
    }
  }
  return false;
}

void PacketSource::move_to(int32_t number) {
  keep_from_ = number;
  if (number < kept_first_ || number > read_next_ + kReadAhead || strayed_) {
    bool sequential;
    {
      std::lock_guard<std::mutex> lock(index_->findings.mutex);
      sequential = index_->findings.sequential || index_->numbering == Numbering::kCount;
    }
    const bool first_use = read_next_ == 0 && !strayed_;
    if (!(first_use && (number <= kReadAhead || sequential)) && (sequential || !seek(number))) {
      if (!sequential) {
        std::lock_guard<std::mutex> lock(index_->findings.mutex);
        index_->findings.sequential = true;
      }
      reopen();
    }
  }
  cursor_ = kept_.empty() ? read_next_ : kept_first_;
  const PacketPtr skipped = make_packet();
  int32_t n = 0;
  while (cursor_ < number) {
    if (!take(skipped.get(), &n)) {
      if (!strayed()) throw_changed();
      reopen();  // a seek led to another reading of the file: read it through from its start instead
      continue;
    }
    av_packet_unref(skipped.get());
  }
}

bool PacketSource::strayed() {
  if (!strayed_) return false;
  std::lock_guard<std::mutex> lock(index_->findings.mutex);
  const bool was = index_->findings.sequential;
  index_->findings.sequential = true;
  return !was;
}

void PacketSource::keep_from(int32_t number) {
  keep_from_ = number;
  while (!kept_.empty() && kept_first_ < number && kept_first_ < cursor_) {
    kept_.pop_front();
    ++kept_first_;
  }
}

bool PacketSource::take(AVPacket* out, int32_t* number) {
  if (cursor_ < read_next_ && !kept_.empty() && cursor_ >= kept_first_) {
    const PacketPtr& held = kept_[static_cast<size_t>(cursor_ - kept_first_)];
    if (av_packet_ref(out, held.get()) < 0) throw std::bad_alloc();
  } else {
    if (!read(out)) return false;
    if (cursor_ >= keep_from_) {
      PacketPtr copy(av_packet_clone(out));
      if (!copy) throw std::bad_alloc();
      if (kept_.empty()) kept_first_ = cursor_;
      kept_.push_back(std::move(copy));
    }
  }
  *number = cursor_++;
  while (!kept_.empty() && kept_first_ < keep_from_ && kept_first_ < cursor_) {
    kept_.pop_front();
    ++kept_first_;
  }
  if (kept_.empty()) kept_first_ = read_next_;
  return true;
}

}  // namespace vssl::video

#endif  // VSSL_WITH_LIBAV
