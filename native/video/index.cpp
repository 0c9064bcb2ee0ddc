// Reads every packet of a video once and makes its time axis. Headers are not believed: they overstate frame
// counts, and say nothing of edit lists, variable rates or a missing end.
#include "index.h"

#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <list>
#include <unordered_map>

#include "libav.h"

extern "C" {
#ifdef VSSL_WITH_LIBAV
#include <libavutil/display.h>
#endif
}

namespace vssl::video {

int64_t position_at(const std::vector<double>& times, double t) {
  const auto after = std::upper_bound(times.begin(), times.end(), t + 1e-6);
  return after == times.begin() ? 0 : (after - times.begin()) - 1;
}

std::string file_identity(const std::string& path) {
  struct stat s {};
  if (::stat(path.c_str(), &s) != 0 || !S_ISREG(s.st_mode)) {
    throw Error("ERR_VSSL_VIDEO_OPEN", "cannot open: there is no such file");
  }
  return path + '\n' + std::to_string(s.st_size) + ' ' + std::to_string(s.st_mtim.tv_sec) + '.' +
         std::to_string(s.st_mtim.tv_nsec) + ' ' + std::to_string(s.st_ino);
}

int64_t FileIndex::bytes() const {
  return static_cast<int64_t>(sizeof(FileIndex) + packets.size() * sizeof(PacketRecord) +
                              info.times.size() * sizeof(double) + segments.size() * sizeof(Segment));
}

std::shared_ptr<const FileIndex> cached_index(const std::string& path, const std::string& identity) {
  constexpr int64_t kMaxBytes = int64_t{64} << 20;
  struct Entry {
    std::shared_ptr<const FileIndex> index;
    std::list<std::string>::iterator use;
  };
  static std::mutex mutex;
  static std::unordered_map<std::string, Entry> entries;
  static std::list<std::string> uses;  // latest first
  static int64_t bytes = 0;
  {
    std::lock_guard<std::mutex> lock(mutex);
    const auto it = entries.find(identity);
    if (it != entries.end()) {
      uses.splice(uses.begin(), uses, it->second.use);
      return it->second.index;
    }
  }
  std::shared_ptr<const FileIndex> index = make_index(path);
  std::lock_guard<std::mutex> lock(mutex);
  const auto it = entries.find(identity);
  if (it != entries.end()) return it->second.index;  // another thread was first
  uses.push_front(identity);
  entries[identity] = {index, uses.begin()};
  bytes += index->bytes();
  while (bytes > kMaxBytes && uses.size() > 1) {
    const auto last = entries.find(uses.back());
    bytes -= last->second.index->bytes();
    entries.erase(last);
    uses.pop_back();
  }
  return index;
}

#ifdef VSSL_WITH_LIBAV

namespace {

constexpr size_t kMaxPackets = 4'000'000;  // 37 hours at 30 pictures a second
constexpr int32_t kPlaceholder = 8;        // bytes; no coded picture is as small

// What reading the packets gave besides their records.
struct PacketScan {
  std::vector<PacketRecord> packets;
  std::vector<bool> hidden;  // by packet: decoded but not shown (edit list)
  std::vector<int64_t> durations;
  std::string damage;  // why reading stopped before the end, or ""
  int64_t cut = 0;     // packets that the end of the file cuts off
};

// MPEG-4 in AVI: a packet may hold two pictures, and a packet of a few bytes later on stands for the second
// one. Such a placeholder with no second picture before it means "nothing new" and gives none.
class PlaceholderCounter {
 public:
  explicit PlaceholderCounter(AVCodecID codec) : active_(codec == AV_CODEC_ID_MPEG4) {}

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

PacketScan scan_packets(const Input& input) {
  PacketScan scan;
  PlaceholderCounter placeholders(input.format->streams[input.stream]->codecpar->codec_id);
  const int64_t file_size = input.format->pb ? avio_size(input.format->pb) : -1;
  const PacketPtr packet = make_packet();
  size_t empty = 0;
  for (;;) {
    const int rc = read_video_packet(packet.get(), input);
    if (rc == AVERROR_EOF) break;
    if (rc < 0) {
      scan.damage = rc == AVERROR_EXIT ? "reading took too long" : av_reason(rc);
      break;
    }
    if (packet->size <= kEmptyPacket) {
      av_packet_unref(packet.get());
      if (++empty > kMaxPackets) break;
      continue;
    }
    PacketRecord r;
    if (packet->pts != AV_NOPTS_VALUE) r.pts = packet->pts;
    if (packet->dts != AV_NOPTS_VALUE) r.dts = packet->dts;
    r.pos = packet->pos;
    r.size = packet->size;
    r.key = (packet->flags & AV_PKT_FLAG_KEY) != 0;
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
    if (scan.packets.size() >= kMaxPackets) {
      scan.damage = "more than " + std::to_string(kMaxPackets) + " packets";
      break;
    }
  }
  return scan;
}

double frame_seconds(const AVStream* stream) {
  for (const AVRational r : {stream->avg_frame_rate, stream->r_frame_rate}) {
    if (r.num > 0 && r.den > 0) {
      const double s = av_q2d(av_inv_q(r));
      if (s > 1e-5 && s < 1e4) return s;
    }
  }
  return 1.0 / 25;
}

// A key frame that would be shown before pictures that were decoded before it: the clock has been set back,
// as where recordings were joined. What follows is moved behind what was.
bool continue_restarted_clock(std::vector<int64_t>& when, const PacketScan& scan, int64_t frame_ticks) {
  bool restarted = false;
  int64_t latest = kNoTime, shift = 0;
  for (size_t i = 0; i < when.size(); ++i) {
    if (when[i] == kNoTime || scan.hidden[i]) continue;
    when[i] += shift;
    if (scan.packets[i].key && latest != kNoTime && when[i] <= latest) {
      const int64_t more = latest + std::max<int64_t>(frame_ticks, 1) - when[i];
      shift += more;
      when[i] += more;
      restarted = true;
    }
    latest = std::max(latest, when[i]);
  }
  return restarted;
}

// Numbers the pictures by presentation time.
void place_by_time(FileIndex& index, const PacketScan& scan, const std::vector<int64_t>& when, double tick) {
  std::vector<int32_t> order;
  for (size_t i = 0; i < when.size(); ++i) {
    if (when[i] != kNoTime && scan.packets[i].feed && !scan.hidden[i])
      order.push_back(static_cast<int32_t>(i));
  }
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return when[a] < when[b]; });
  for (const int32_t i : order) {
    index.packets[i].position = static_cast<int32_t>(index.info.times.size());
    index.info.times.push_back(static_cast<double>(when[i]) * tick);
  }
}

// Packets with decoding times that rise, and a decoder that gives one picture per packet, one packet late.
bool is_numbered_by_feeding(const PacketScan& scan, const AVCodecParameters* par) {
  if (par->video_delay != 1 || par->codec_id == AV_CODEC_ID_H264 || par->codec_id == AV_CODEC_ID_HEVC)
    return false;
  int64_t last = kNoTime;
  bool unstamped = false;
  for (size_t i = 0; i < scan.packets.size(); ++i) {
    const PacketRecord& r = scan.packets[i];
    if (scan.hidden[i] || r.dts == kNoTime || r.dts <= last) return false;
    last = r.dts;
    unstamped = unstamped || r.pts == kNoTime;
  }
  return unstamped;
}

// Picture k comes out when packet k + 1 is fed, and is shown at that packet's decoding time.
void place_by_feeding(FileIndex& index, double tick, double seconds) {
  index.numbering = Numbering::kFeeding;
  std::vector<double>& times = index.info.times;
  int32_t position = -1;
  double last = 0;
  for (PacketRecord& r : index.packets) {
    if (!r.feed) continue;
    const double when = static_cast<double>(r.dts) * tick;
    if (position >= 0) {
      times.push_back(when);
      seconds = when - last;
    }
    last = when;
    r.position = position++;
  }
  times.push_back(last + seconds);
}

// Pictures in the order of output, at the frame rate.
void place_by_count(FileIndex& index, const PacketScan& scan, double seconds) {
  index.numbering = Numbering::kCount;
  int64_t count = 0;
  for (size_t i = 0; i < index.packets.size(); ++i) count += index.packets[i].feed && !scan.hidden[i];
  for (int64_t i = 0; i < count; ++i) index.info.times.push_back(static_cast<double>(i) * seconds);
}

// Where the picture of key packet `i` stands in `times`.
int32_t position_of_key(const FileIndex& index, size_t i) {
  const std::vector<PacketRecord>& packets = index.packets;
  if (index.numbering == Numbering::kTime) return packets[i].position;
  // It comes out with the next reference picture. Up to there lie pictures that are shown at once (libav
  // stamps those) and the placeholders of packed streams; counting too many is harmless, the segment before
  // has them.
  size_t j = i + 1;
  const auto at_once = [&](const PacketRecord& r) { return r.pts != kNoTime && r.pts == r.dts; };
  while (j < packets.size() && (at_once(packets[j]) || packets[j].size <= kPlaceholder)) ++j;
  return j < packets.size() ? packets[j].position : -1;
}

void make_segments(FileIndex& index) {
  const auto count = static_cast<int32_t>(index.info.times.size());
  std::vector<Segment>& segments = index.segments;
  segments.push_back({0, count, 0});
  for (size_t i = 1; i < index.packets.size() && index.numbering != Numbering::kCount; ++i) {
    if (!index.packets[i].key) continue;
    const int32_t first = position_of_key(index, i);
    if (first <= segments.back().first) continue;
    segments.back().last = first;
    segments.push_back({first, count, static_cast<int32_t>(i)});
  }
  for (const Segment& s : segments) index.info.keys.push_back(s.first);
}

double end_of(const FileIndex& index, const PacketScan& scan, double tick, double seconds) {
  const std::vector<double>& times = index.info.times;
  const double last = times.back();
  for (size_t i = 0; i < index.packets.size(); ++i) {
    if (index.packets[i].position + 1 == static_cast<int32_t>(times.size()) && scan.durations[i] > 0) {
      return last + static_cast<double>(scan.durations[i]) * tick;
    }
  }
  if (times.size() > 1 && times.back() > times[times.size() - 2]) return 2 * last - times[times.size() - 2];
  return last + seconds;
}

// Clockwise turn in degrees of the stream's display matrix, 0 without one.
int rotation_of(const AVStream* stream, std::vector<std::string>& warnings) {
#if LIBAVFORMAT_VERSION_INT >= AV_VERSION_INT(60, 15, 100)
  const AVPacketSideData* side = av_packet_side_data_get(
      stream->codecpar->coded_side_data, stream->codecpar->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
  const uint8_t* data = side ? side->data : nullptr;
  const size_t size = side ? side->size : 0;
#else
  size_t size = 0;
  const uint8_t* data = av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
#endif
  if (!data || size < 9 * sizeof(int32_t)) return 0;
  const auto* m = reinterpret_cast<const int32_t*>(data);
  const double theta = av_display_rotation_get(m);  // counter-clockwise
  if (std::isnan(theta)) return 0;
  if (static_cast<double>(m[0]) * m[4] - static_cast<double>(m[1]) * m[3] < 0) {
    warnings.push_back("the display matrix mirrors the picture; only its rotation is applied");
  }
  const int quarters = static_cast<int>(std::lround(-theta / 90)) & 3;
  if (std::fabs(-theta / 90 - std::lround(-theta / 90)) > 0.02) {
    warnings.push_back("the display matrix turns by " + std::to_string(-theta) + " degrees; rounded to " +
                       std::to_string(quarters * 90));
  }
  return quarters * 90;
}

void describe_stream(VideoIndex& info, const Input& input) {
  AVStream* stream = input.format->streams[input.stream];
  const AVCodecParameters* par = stream->codecpar;
  info.codec = avcodec_get_name(par->codec_id);
  const AVRational sar = av_guess_sample_aspect_ratio(input.format.get(), stream, nullptr);
  if (sar.num > 0 && sar.den > 0) {
    const double aspect = av_q2d(sar);
    if (aspect >= 0.05 && aspect <= 20) {
      info.sample_aspect = aspect;
    } else {
      info.warnings.push_back("sample aspect ratio " + std::to_string(aspect) +
                              " is beyond belief; 1 is used");
    }
  }
  info.rotation = rotation_of(stream, info.warnings);
  info.width = std::max(1, static_cast<int>(std::lround(par->width * info.sample_aspect)));
  info.height = par->height;
  if (info.rotation % 180 != 0) std::swap(info.width, info.height);
  if (par->field_order != AV_FIELD_UNKNOWN && par->field_order != AV_FIELD_PROGRESSIVE) {
    info.warnings.push_back("interlaced; pictures are used as they are, both fields together");
  }
}

void add_count_warnings(VideoIndex& info, const PacketScan& scan, int64_t header_frames,
                        Numbering numbering) {
  const auto files =
      std::count_if(scan.packets.begin(), scan.packets.end(), [](const PacketRecord& r) { return r.feed; });
  if (header_frames > 0 && header_frames != files) {
    info.warnings.push_back("header says " + std::to_string(header_frames) + " frames, file has " +
                            std::to_string(files));
  }
  const auto hidden = std::count(scan.hidden.begin(), scan.hidden.end(), true);
  if (hidden > 0) info.warnings.push_back(std::to_string(hidden) + " frames are cut away by an edit list");
  if (numbering == Numbering::kCount)
    info.warnings.push_back("no presentation times in the file; pictures are taken in decoder order");
  if (scan.cut > 0) info.warnings.push_back("the end of the file is missing: its last frame is cut off");
  if (!scan.damage.empty()) info.warnings.push_back("reading stopped before the end: " + scan.damage);
}

}  // namespace

std::shared_ptr<const FileIndex> make_index(const std::string& path) {
  file_identity(path);  // a clear error for a name that is no file
  const Input input = open_input(path);
  const AVStream* stream = input.format->streams[input.stream];
  if (stream->codecpar->width <= 0 || stream->codecpar->height <= 0) {
    throw Error("ERR_VSSL_VIDEO_OPEN",
                "the video stream has no picture size; its headers are damaged or missing");
  }
  open_decoder(stream);  // fails here, not in the middle of an epoch
  auto index = std::make_shared<FileIndex>();
  describe_stream(index->info, input);
  const PacketScan scan = scan_packets(input);
  index->packets = scan.packets;
  const double tick = av_q2d(stream->time_base);
  const double seconds = frame_seconds(stream);
  int64_t shown = 0, timed = 0;
  for (size_t i = 0; i < scan.packets.size(); ++i) {
    if (!scan.packets[i].feed || scan.hidden[i]) continue;
    ++shown;
    timed += scan.packets[i].pts != kNoTime;
  }
  if (shown == 0) {
    throw Error("ERR_VSSL_VIDEO_EMPTY", scan.damage.empty() ? "the video stream holds no pictures"
                                                            : "no picture can be read: " + scan.damage);
  }
  if (is_numbered_by_feeding(scan, stream->codecpar)) {
    place_by_feeding(*index, tick, seconds);
  } else if (2 * timed >= shown) {
    // Packets without a time stamp among others that have one are the second fields of their pictures.
    std::vector<int64_t> when;
    for (const PacketRecord& r : scan.packets) when.push_back(r.pts);
    if (continue_restarted_clock(when, scan, std::llround(seconds / tick))) {
      index->info.warnings.push_back(
          "the clock of the file is set back on the way; times go on from the last picture");
    }
    place_by_time(*index, scan, when, tick);
  } else {
    place_by_count(*index, scan, seconds);
  }
  make_segments(*index);
  index->info.end = end_of(*index, scan, tick, seconds);
  add_count_warnings(index->info, scan, stream->nb_frames, index->numbering);
  return index;
}

#else

std::shared_ptr<const FileIndex> make_index(const std::string&) {
  throw Error("ERR_VSSL_NO_LIBAV",
              "this build has no video decoder; install FFmpeg's development packages and build again");
}

#endif  // VSSL_WITH_LIBAV

VideoIndex index_file(const std::string& path) { return make_index(path)->info; }

}  // namespace vssl::video
