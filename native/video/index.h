// The internal form of a video's index: VideoIndex plus what the reader needs to find and check packets.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_set>
#include <vector>

#include "origin.h"
#include "video.h"

struct AVCodecParameters;

namespace vssl::video {

constexpr int64_t kNoTime = INT64_MIN;

// How decoded pictures find their place in `times`.
enum class Numbering {
  kTime,     // by the presentation time of their packet
  kFeeding,  // packets have decoding times only, the decoder holds one picture back: by the packet it came
             // out for
  kCount,    // no usable times (raw streams): by counting from the file's start
};

// Packets of up to this many bytes hold no picture: AVI's "same picture again".
constexpr int32_t kEmptyPacket = 1;
// MPEG-4 packets of up to this many bytes stand for a picture of an earlier packet; no coded picture is as
// small.
constexpr int32_t kPlaceholder = 8;

// One packet of the video stream, in file order.
struct PacketRecord {
  int64_t pts = kNoTime, dts = kNoTime;  // stream time base
  int64_t pos = -1;                      // byte position in the file, -1 when unknown
  int32_t size = 0;
  // In `times`, of its picture (kFeeding: of the picture that comes out when it is fed); -1: none.
  int32_t position = -1;
  bool key = false;
  bool feed = true;  // false: cut off by the end of the file, or empty; not given to the decoder
};

// What a decoder is told on the way, once, and keeps from then on.
enum StateKind {
  kHeaders,     // new decoder headers (parameter sets), in the form of AVCodecParameters::extradata
  kPalette,     // of the pictures from here on
  kParameters,  // AV_PKT_DATA_PARAM_CHANGE
  kStateKinds
};
struct StreamState {
  int32_t packet = 0;  // the first one that it holds for
  std::vector<uint8_t> bytes;
};
using StreamStates = std::array<std::vector<StreamState>, kStateKinds>;  // by kind, then by packet

// Pictures [first, last) of the time axis; decoding for them starts at packet `packet`.
struct Segment {
  int32_t first = 0, last = 0;
  int32_t packet = 0;
};

struct FileIndex {
  VideoIndex info;
  std::vector<PacketRecord> packets;
  std::vector<Segment> segments;
  StreamStates states;
  // Of the stream when the file is opened: the demuxer's own change while it reads.
  std::shared_ptr<const AVCodecParameters> parameters;
  Numbering numbering = Numbering::kTime;
  bool whole = false;  // every packet was read

  // What decoding has shown about this content. Facts of the file, so that no result depends on who found
  // them.
  struct Findings {
    std::mutex mutex;
    std::unordered_set<int32_t> missing;  // positions that no decoding run gives
    // Segment -> the segment from whose key frame it is decoded: itself, or an earlier one when its own is
    // none.
    std::map<int32_t, int32_t> start_of;
    bool sequential = false;  // seeking gives other packets than reading through
  };
  mutable Findings findings;

  int64_t bytes() const;
};

// Position of the picture shown at time t: the last one with time <= t (+1 microsecond), or the first one.
int64_t position_at(const std::vector<double>& times, double t);

// Identity of a file's present content: path, size and modification time. Throws ERR_VSSL_VIDEO_OPEN.
std::string file_identity(const std::string& path);

// `whole`: every packet is read, also where the container lists them. The facts are the same, but for damage
// that only reading shows.
std::shared_ptr<const FileIndex> make_index(const Origin& origin, bool whole = false);

// The same from a process-wide cache, keyed by the identity and bounded in bytes. A file in memory keeps its
// own.
std::shared_ptr<const FileIndex> cached_index(const Origin& origin, const std::string& identity,
                                              bool whole = false);

}  // namespace vssl::video
