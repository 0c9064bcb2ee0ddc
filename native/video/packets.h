// The packets of an indexed video by number: move to one, then take them in file order. Every packet is
// compared with the index, so that a seek that lands elsewhere is noticed, and the same number always means
// the same bytes.
#pragma once

#ifdef VSSL_WITH_LIBAV

#include <deque>
#include <memory>
#include <string>

#include "index.h"
#include "libav.h"

namespace vssl::video {

class PacketSource {
 public:
  PacketSource(Origin origin, std::shared_ptr<const FileIndex> index);

  // The next take() gives packet `number`. Throws ERR_VSSL_VIDEO_DECODE when the file is not the indexed one.
  void move_to(int32_t number);
  // References the next packet in `out`; false at the end. `*number` is its number.
  bool take(AVPacket* out, int32_t* number);
  // From now on packets with this number or a higher one are kept for another move_to.
  void keep_from(int32_t number);

  // After take() returned false: the demuxer gave something else than the index has, after a seek. Marks the
  // file as one to be read through from its start; move_to() does so from now on. False when it was marked
  // before.
  bool strayed();

  const AVStream* stream() const { return input_.format->streams[input_.stream]; }

 private:
  void reopen();
  bool seek(int32_t number);
  bool read(AVPacket* out);
  bool matches(const AVPacket* p, const PacketRecord& r) const;
  bool is_surely(const AVPacket* p, int32_t n) const;
  [[noreturn]] void throw_changed() const;

  Origin origin_;
  std::shared_ptr<const FileIndex> index_;
  Input input_;
  int32_t read_next_ = 0;  // number of the packet that the demuxer gives next
  int32_t cursor_ = 0;     // number of the packet that take() gives next
  int32_t keep_from_ = 0;
  std::deque<PacketPtr> kept_;  // numbers kept_first_ .. read_next_ - 1
  int32_t kept_first_ = 0;
  bool strayed_ = false;  // the demuxer gave a packet that the index does not have there
};

}  // namespace vssl::video

#endif  // VSSL_WITH_LIBAV
