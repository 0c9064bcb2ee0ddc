#include "reader.h"

#ifdef VSSL_WITH_LIBAV

#include <algorithm>
#include <limits>

namespace vssl::video {

namespace {

// Packets fed beyond the next key frame before the decoder is drained: more than any codec's reordering
// delay.
constexpr int32_t kBeyondKey = 64;
// How far before a segment the key frame may lie that is tried when its own is none, in pictures.
constexpr int32_t kMostBack = 600;

constexpr AVPacketSideDataType kSideData[kStateKinds] = {AV_PKT_DATA_NEW_EXTRADATA, AV_PKT_DATA_PALETTE,
                                                         AV_PKT_DATA_PARAM_CHANGE};

// The latest state that holds for packet `number`, or null.
const StreamState* state_at(const std::vector<StreamState>& states, int32_t number) {
  const auto after = std::upper_bound(states.begin(), states.end(), number,
                                      [](int32_t n, const StreamState& s) { return n < s.packet; });
  return after == states.begin() ? nullptr : &*(after - 1);
}

void remove_side_data(AVPacket* packet, AVPacketSideDataType type) {
  int kept = 0;
  for (int i = 0; i < packet->side_data_elems; ++i) {
    if (packet->side_data[i].type == type) {
      av_freep(&packet->side_data[i].data);
    } else {
      packet->side_data[kept++] = packet->side_data[i];
    }
  }
  packet->side_data_elems = kept;
}

// How well a start serves a segment; the first pictures of it tell.
struct Attempt {
  int32_t start = 0;
  int32_t lost = std::numeric_limits<int32_t>::max();  // pictures of the segment before the first that comes
  bool grounded = false;  // it comes after a picture that needs nothing before it, and without an error
  // Later attempts begin earlier. What never was on firm ground is the better the more was decoded before it.
  bool improves_on(const Attempt& other) const {
    if (lost != other.lost) return lost < other.lost;
    return !other.grounded;
  }
};

}  // namespace

bool stands_alone(const AVFrame* frame, const FileIndex& index) {
  if (frame->flags & AV_FRAME_FLAG_CORRUPT) return false;
  // The H.264 decoder gives nothing before it stands on firm ground itself: after a key frame or once a
  // gradual refresh is complete.
  if (index.parameters->codec_id == AV_CODEC_ID_H264) return true;
  return frame->key_frame || frame->pict_type == AV_PICTURE_TYPE_I || frame->pict_type == AV_PICTURE_TYPE_SI;
}

Reader::Reader(Origin origin, std::shared_ptr<const FileIndex> index)
    : index_(index), packets_(std::move(origin), std::move(index)) {}

// A fresh decoder rather than a flushed one: nothing of earlier pictures can shine through in damaged files.
void Reader::open_codec(int32_t packet) {
  const StreamState* headers = state_at(index_->states[kHeaders], packet);
  codec_ =
      open_decoder(*index_->parameters, packets_.stream()->time_base, headers ? &headers->bytes : nullptr);
}

void Reader::begin(int32_t segment, int32_t start) {
  segment_ = start_ = -1;  // stays so when something below throws
  held_ = false;
  packets_.move_to(index_->segments[start].packet);
  open_codec(index_->segments[start].packet);
  const auto count = static_cast<int32_t>(index_->segments.size());
  const auto last_packet = static_cast<int32_t>(index_->packets.size()) - 1;
  stop_packet_ = segment + 1 < count ? index_->segments[segment + 1].packet + kBeyondKey : last_packet;
  if (segment + 1 < count) packets_.keep_from(index_->segments[segment + 1].packet);
  highest_given_ = -1;
  outputs_ = 0;
  fed_position_ = -1;
  drained_ = ended_ = grounded_ = false;
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

bool Reader::advance() {
  while (!ended_) {
    const int rc = avcodec_receive_frame(codec_.get(), frame_.get());
    if (rc < 0) {  // more is wanted, the end, or a decoder that gives up
      if (drained_ || rc == AVERROR_EOF) {
        ended_ = true;
      } else {
        feed();
      }
      continue;
    }
    ++decoded_;
    const Segment& s = index_->segments[segment_];
    position_ = position_of(frame_.get());
    if (position_ >= s.last) {
      ended_ = true;
      break;
    }
    if (frame_->flags & AV_FRAME_FLAG_CORRUPT) continue;
    if (position_ <= s.first) grounded_ = grounded_ || stands_alone(frame_.get(), *index_);
    if (position_ < s.first || came_[static_cast<size_t>(position_ - s.first)]) continue;
    came_[static_cast<size_t>(position_ - s.first)] = true;
    return true;
  }
  return false;
}

// The packet gets the states that begin with it, and no others: what the demuxer adds depends on where it was
// before.
void Reader::set_states(int32_t number) {
  for (int kind = 0; kind < kStateKinds; ++kind) {
    remove_side_data(packet_.get(), kSideData[kind]);
    const StreamState* state = state_at(index_->states[kind], number);
    // The decoder was opened with the headers that hold at the start.
    const bool starts = kind != kHeaders && number == index_->segments[start_].packet;
    if (!state || (state->packet != number && !starts)) continue;
    uint8_t* data = av_packet_new_side_data(packet_.get(), kSideData[kind], state->bytes.size());
    if (!data) throw std::bad_alloc();
    std::copy(state->bytes.begin(), state->bytes.end(), data);
  }
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
  set_states(number);
  avcodec_send_packet(codec_.get(), packet_.get());  // damaged data: the picture will be missing
}

int32_t Reader::known_start(int32_t segment) const {
  if (segment == 0 || is_intra_only(*index_->parameters)) return segment;
  std::lock_guard<std::mutex> lock(index_->findings.mutex);
  const auto it = index_->findings.start_of.find(segment);
  return it == index_->findings.start_of.end() ? -1 : it->second;
}

void Reader::note_start(int32_t segment, int32_t start) {
  std::lock_guard<std::mutex> lock(index_->findings.mutex);
  index_->findings.start_of[segment] = start;
}

// Begins a segment whose start is not known yet, before any picture of it is given: with its own key frame,
// and where that turns out to be none, or damaged, with earlier ones. Leaves the reader at the segment's
// first picture.
void Reader::settle(int32_t segment) {
  const int32_t first = index_->segments[segment].first;
  Attempt best;
  for (int32_t back = 0;; back = 2 * back + 1) {
    Attempt attempt;
    attempt.start = std::max(0, segment - back);
    begin(segment, attempt.start);
    held_ = advance();
    if (held_) {
      attempt.lost = position_ - first;
      attempt.grounded = (grounded_ || attempt.start == 0) && frame_->decode_error_flags == 0;
    }
    if (back == 0 || attempt.improves_on(best)) best = attempt;
    if (best.lost == 0 && best.grounded) break;
    if (attempt.start == 0 || first - index_->segments[attempt.start].first >= kMostBack) break;
  }
  if (best.lost == std::numeric_limits<int32_t>::max()) best.start = segment;  // nothing comes, from anywhere
  if (best.start != start_) {
    begin(segment, best.start);
    held_ = advance();
  }
  note_start(segment, best.start);
}

void Reader::note_missing() {
  const Segment& s = index_->segments[segment_];
  std::lock_guard<std::mutex> lock(index_->findings.mutex);
  for (int32_t p = s.first; p < s.last; ++p) {
    if (!came_[static_cast<size_t>(p - s.first)]) index_->findings.missing.insert(p);
  }
}

void Reader::decode(int32_t segment, int32_t from, const Sink& sink) {
  const int32_t start = known_start(segment);
  if (start < 0) {
    settle(segment);
  } else if (segment_ != segment || start_ != start || from <= highest_given_) {
    begin(segment, start);
  }
  while (held_ || advance()) {
    held_ = false;
    highest_given_ = std::max(highest_given_, position_);
    if (!sink(position_, frame_.get())) return;
  }
  note_missing();
}

}  // namespace vssl::video

#endif  // VSSL_WITH_LIBAV
