// One open video file with a decoder. Decoding is canonical: the pictures of a segment always come from a
// fresh decoder fed from the same key frame, with what it must be told first, so they do not depend on what
// was decoded before.
#pragma once

#ifdef VSSL_WITH_LIBAV

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "index.h"
#include "packets.h"

namespace vssl::video {

class Reader {
 public:
  Reader(Origin origin, std::shared_ptr<const FileIndex> index);

  // Called with each sound picture of the segment as it comes out of the decoder; false ends the call.
  using Sink = std::function<bool(int32_t position, const AVFrame* frame)>;

  // Gives pictures of a segment, in the order of output, until the sink has enough or the segment ends.
  // `from` is the lowest position that the caller needs: a call for the same segment goes on where the last
  // one stopped when all that it needs is still to come. Positions that never come are noted in the index's
  // findings. Throws ERR_VSSL_VIDEO_DECODE, ERR_VSSL_VIDEO_OPEN.
  void decode(int32_t segment, int32_t from, const Sink& sink);

  int64_t decoded_frames() const {
    return decoded_;
  }  // pictures that came out of the decoder, all calls together

 private:
  void begin(int32_t segment, int32_t start);
  void open_codec(int32_t packet);
  void settle(int32_t segment);
  bool advance();  // to the next sound picture of the segment: frame_ and position_; false at its end
  void feed();
  void set_states(int32_t number);
  int32_t known_start(int32_t segment) const;  // -1: not known yet
  void note_start(int32_t segment, int32_t start);
  void note_missing();
  int32_t position_of(const AVFrame* frame);

  std::shared_ptr<const FileIndex> index_;
  PacketSource packets_;
  CodecPtr codec_;
  FramePtr frame_ = make_frame();
  PacketPtr packet_ = make_packet();

  // The present run: pictures of segment_, decoded from the key frame of start_.
  int32_t segment_ = -1, start_ = -1;
  int32_t stop_packet_ = 0;  // after this packet the decoder is drained
  int32_t position_ = -1;    // of frame_
  int32_t highest_given_ = -1;
  int32_t outputs_ = 0;        // for Numbering::kCount
  int32_t fed_position_ = -1;  // for Numbering::kFeeding: of the packet fed last
  bool drained_ = false, ended_ = true;
  bool held_ = false;       // frame_ is still to be given
  bool grounded_ = false;   // a picture that needs nothing before it has come
  std::vector<bool> came_;  // by position - first of the segment
  int64_t decoded_ = 0;
};

// Whether the picture can be trusted without what was decoded before it.
bool stands_alone(const AVFrame* frame, const FileIndex& index);

}  // namespace vssl::video

#endif  // VSSL_WITH_LIBAV
