// One pass over a video's packets, without decoding and, where the container lists them, without reading
// them: what each packet is, from which ones decoding may start, and what a decoder that starts in mid-file
// has to be told first.
#pragma once

#ifdef VSSL_WITH_LIBAV

#include <string>
#include <vector>

#include "first_picture.h"
#include "index.h"

namespace vssl::video {

struct PacketScan {
  std::vector<PacketRecord> packets;
  std::vector<bool> hidden;        // by packet: decoded but not shown (edit list)
  std::vector<int64_t> durations;  // by packet, stream time base; 0: unknown
  StreamStates states;
  std::string damage;    // why reading stopped before the end, or ""
  bool strayed = false;  // a packet is not as the container listed it: the rest has to be read
  int64_t cut = 0;       // packets that the end of the file cuts off

  bool is_shown(size_t i) const { return packets[i].feed && !hidden[i]; }
  int64_t shown() const {
    int64_t count = 0;
    for (size_t i = 0; i < packets.size(); ++i) count += is_shown(i);
    return count;
  }
};

// `parameters`: those of the stream when the file was opened.
// `first`, unless null, is offered the key frames.
// `whole`: every packet is read, whatever the container says of it.
PacketScan scan_packets(const Input& input, const AVCodecParameters* parameters, FirstPicture* first,
                        bool whole);

}  // namespace vssl::video

#endif  // VSSL_WITH_LIBAV
