// Walking through a file's packets without reading them: of a container that lists every packet (MP4, MOV:
// the sample table), the demuxer takes times, sizes and places from the list, and the payload is read for its
// sake alone.
#pragma once

#ifdef VSSL_WITH_LIBAV

#include <cstdint>
#include <memory>
#include <vector>

#include "libav.h"

namespace vssl::video {

// Gives the demuxer zeros in the place of payload that nobody looks at: packets that are no key frames, and
// of key frames what comes after their headers. Nothing is read there, and a file that ends early does so all
// the same. Packets have the same sizes, places and times as with their payload. Takes the place of the
// file's own reading for as long as it lives; the input must outlive it, and is used by the thread that
// attached it.
class PayloadSkipper {
 public:
  // Null where every packet has to be read: the container has no such list, or not of all packets.
  static std::unique_ptr<PayloadSkipper> attach(const Input& input);
  ~PayloadSkipper();
  PayloadSkipper(const PayloadSkipper&) = delete;
  PayloadSkipper& operator=(const PayloadSkipper&) = delete;

  // From now on key frames are read up to the end of their headers only.
  void skip_keys() { heads_only_ = true; }
  // What the list says of a packet that the demuxer gave. kNot: it is not as it was listed.
  enum class Listed { kNot, kKey, kOther };
  Listed find(const AVPacket* packet) const;

 private:
  // A packet in the list.
  struct Packet {
    int64_t pos = 0, end = 0;
    bool key = false;
  };

  PayloadSkipper(AVIOContext* context, std::vector<Packet> packets, int64_t file_size);
  static int read(void* file, uint8_t* out, int count);
  static int64_t seek(void* file, int64_t offset, int whence);
  int read_file(uint8_t* out, int count);
  // Bytes from `position_` on that are not read (positive) or that are (negative), up to where that changes.
  int64_t run_length() const;

  // libav calls other functions with its handle of the file, too, so that it cannot be replaced: the one at
  // work is that of the thread.
  static thread_local PayloadSkipper* at_work;

  AVIOContext* context_;
  std::vector<Packet> packets_;  // by place, none within another
  int64_t file_size_;
  int64_t position_;       // of the demuxer
  int64_t file_position_;  // of the file's own reading
  bool heads_only_ = false;
  int (*read_)(void*, uint8_t*, int);
  int64_t (*seek_)(void*, int64_t, int);
};

}  // namespace vssl::video

#endif  // VSSL_WITH_LIBAV
