// Walks through the packets of a video once and makes its time axis. Headers are not believed: they overstate
// frame counts, and say nothing of edit lists, variable rates or a missing end.
#include "index.h"

#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <ctime>
#include <list>
#include <optional>
#include <unordered_map>

#include "first_picture.h"
#include "plan.h"
#include "reader.h"
#include "scan.h"
#include "timeline.h"

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
  size_t sum = sizeof(FileIndex) + packets.size() * sizeof(PacketRecord) +
               info.times.size() * sizeof(double) + segments.size() * sizeof(Segment);
  for (const auto& kind : states) {
    for (const StreamState& state : kind) sum += sizeof(state) + state.bytes.size();
  }
  return static_cast<int64_t>(sum);
}

std::shared_ptr<const FileIndex> cached_index(const Origin& origin, const std::string& identity, bool whole) {
  if (origin.memory) return origin.memory->index_once([&] { return make_index(origin); });
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
    if (it != entries.end() && (it->second.index->whole || !whole)) {
      uses.splice(uses.begin(), uses, it->second.use);
      return it->second.index;
    }
  }
  std::shared_ptr<const FileIndex> index = make_index(origin, whole);
  std::lock_guard<std::mutex> lock(mutex);
  const auto it = entries.find(identity);
  if (it != entries.end()) {
    if (it->second.index->whole || !whole) return it->second.index;  // another thread was first
    bytes -= it->second.index->bytes();
    uses.erase(it->second.use);
    entries.erase(it);
  }
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

// Whether pictures of the codec may carry facts that the container does not have.
bool is_told_by_pictures(AVCodecID codec) {
  switch (codec) {
    case AV_CODEC_ID_H264:
    case AV_CODEC_ID_HEVC:
    case AV_CODEC_ID_MJPEG:
    case AV_CODEC_ID_PNG:
    case AV_CODEC_ID_APNG:
    case AV_CODEC_ID_WEBP:
      return true;
    default:
      return false;
  }
}

// Brightness beyond that of a screen and colours beyond its colours are used as if they were a screen's.
void add_color_warnings(std::vector<std::string>& warnings, const AVCodecParameters* par,
                        const AVFrame* first) {
  AVColorTransferCharacteristic transfer = par->color_trc;
  AVColorPrimaries primaries = par->color_primaries;
  if (first && transfer == AVCOL_TRC_UNSPECIFIED) transfer = first->color_trc;
  if (first && primaries == AVCOL_PRI_UNSPECIFIED) primaries = first->color_primaries;
  const char* const hdr = transfer == AVCOL_TRC_SMPTE2084      ? "PQ"
                          : transfer == AVCOL_TRC_ARIB_STD_B67 ? "HLG"
                                                               : nullptr;
  const char* const wide = primaries == AVCOL_PRI_BT2020     ? "BT.2020"
                           : primaries == AVCOL_PRI_SMPTE431 ? "DCI-P3"
                           : primaries == AVCOL_PRI_SMPTE432 ? "Display P3"
                                                             : nullptr;
  if (hdr) {
    warnings.push_back(std::string("high dynamic range (") + hdr + (wide ? std::string(", ") + wide : "") +
                       "); pictures are used without tone mapping");
  } else if (wide) {
    warnings.push_back(std::string("wide gamut (") + wide + "); colours are used as if they were BT.709");
  }
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
  if (input.videos > 1) {
    info.warnings.push_back("one of " + std::to_string(input.videos) + " video streams is used: number " +
                            std::to_string(input.stream) + " of the file (" + info.codec + ", " +
                            std::to_string(par->width) + " x " + std::to_string(par->height) + ")");
  }
  info.width = std::max(1, static_cast<int>(std::lround(par->width * info.sample_aspect)));
  info.height = par->height;
  if (par->field_order != AV_FIELD_UNKNOWN && par->field_order != AV_FIELD_PROGRESSIVE) {
    info.warnings.push_back("interlaced; pictures are used as they are, both fields together");
  }
}

// What the container says, or else the pictures themselves.
void describe_pictures(VideoIndex& info, const AVStream* stream, const AVCodecParameters* parameters,
                       const FirstPicture* first) {
  std::optional<Orientation> orientation = orientation_of_stream(stream, info.warnings);
  if (!orientation && first) orientation = first->orientation();
  info.orientation = orientation.value_or(Orientation{});
  if (info.orientation.swaps_sides()) std::swap(info.width, info.height);
  add_color_warnings(info.warnings, parameters, first ? first->frame() : nullptr);
}

void add_count_warnings(VideoIndex& info, const PacketScan& scan, int64_t header_frames) {
  const auto files =
      std::count_if(scan.packets.begin(), scan.packets.end(), [](const PacketRecord& r) { return r.feed; });
  if (header_frames > 0 && header_frames != files) {
    info.warnings.push_back("header says " + std::to_string(header_frames) + " frames, file has " +
                            std::to_string(files));
  }
  const auto hidden = std::count(scan.hidden.begin(), scan.hidden.end(), true);
  if (hidden > 0) info.warnings.push_back(std::to_string(hidden) + " frames are cut away by an edit list");
  if (scan.cut > 0) info.warnings.push_back("the end of the file is missing: its last frame is cut off");
  if (!scan.damage.empty()) info.warnings.push_back("reading stopped before the end: " + scan.damage);
}

struct ParametersCloser {
  void operator()(AVCodecParameters* p) const { avcodec_parameters_free(&p); }
};

std::shared_ptr<const AVCodecParameters> copy_parameters(const AVStream* stream) {
  std::unique_ptr<AVCodecParameters, ParametersCloser> copy(avcodec_parameters_alloc());
  if (!copy || avcodec_parameters_copy(copy.get(), stream->codecpar) < 0) throw std::bad_alloc();
  return copy;
}

// The place of the first picture that a decoder gives and that needs nothing before it; 0 where none does.
int32_t first_decodable(const Origin& origin, const std::shared_ptr<FileIndex>& index) {
  Reader reader(origin, index);
  int32_t first = -1;
  for (int32_t segment = 0; first < 0 && segment < static_cast<int32_t>(index->segments.size()); ++segment) {
    reader.decode(segment, 0, [&](int32_t position, const AVFrame* frame) {
      if (!stands_alone(frame, *index)) return true;
      first = position;
      return false;
    });
  }
  return std::max(first, 0);
}

// A recording that was cut begins with pictures whose references are gone. They are no part of the time axis.
void drop_undecodable_start(const Origin& origin, const std::shared_ptr<FileIndex>& index) {
  if (index->numbering == Numbering::kCount || is_intra_only(*index->parameters)) return;
  const auto key = std::find_if(index->packets.begin(), index->packets.end(),
                                [](const PacketRecord& r) { return r.feed && r.key; });
  const bool begins_with_it =
      key != index->packets.end() &&
      std::none_of(index->packets.begin(), key, [](const PacketRecord& r) { return r.feed; }) &&
      key->position <= 0;
  if (begins_with_it) return;
  const int32_t first = first_decodable(origin, index);
  index->findings.missing.clear();
  index->findings.start_of.clear();
  if (first == 0) return;
  std::vector<double>& times = index->info.times;
  times.erase(times.begin(), times.begin() + first);
  for (PacketRecord& r : index->packets) {
    r.position -= first;
    if (index->numbering == Numbering::kTime) r.position = std::max(r.position, -1);
  }
  index->segments.clear();
  index->info.keys.clear();
  make_segments(*index);
  index->info.warnings.push_back("the file begins with " + std::to_string(first) +
                                 (first == 1 ? " picture that cannot" : " pictures that cannot") +
                                 " be decoded without what was before; left out");
}

}  // namespace

std::shared_ptr<const FileIndex> make_index(const Origin& origin, bool whole) {
  origin.identity();  // a clear error for a name that is no file
  const Input input = open_input(origin);
  const AVStream* stream = input.format->streams[input.stream];
  if (stream->codecpar->width <= 0 || stream->codecpar->height <= 0) {
    throw Error("ERR_VSSL_VIDEO_OPEN",
                "the video stream has no picture size; its headers are damaged or missing");
  }
  auto index = std::make_shared<FileIndex>();
  index->parameters = copy_parameters(stream);
  // Without a decoder this fails here, not in the middle of an epoch.
  FirstPicture picture(*index->parameters, stream->time_base);
  FirstPicture* const first = is_told_by_pictures(index->parameters->codec_id) ? &picture : nullptr;
  describe_stream(index->info, input);
  PacketScan scan = scan_packets(input, index->parameters.get(), first, whole);
  if (scan.strayed) return make_index(origin, true);
  index->whole = whole;
  describe_pictures(index->info, stream, index->parameters.get(), first);
  if (scan.shown() == 0) {
    throw Error("ERR_VSSL_VIDEO_EMPTY", scan.damage.empty() ? "the video stream holds no pictures"
                                                            : "no picture can be read: " + scan.damage);
  }
  index->packets = scan.packets;
  index->states = std::move(scan.states);
  const double tick =
      stream->time_base.num > 0 && stream->time_base.den > 0 ? av_q2d(stream->time_base) : 1e-6;
  make_timeline(*index, scan, tick, frame_seconds(stream));
  make_segments(*index);
  add_count_warnings(index->info, scan, stream->nb_frames);
  drop_undecodable_start(origin, index);
  return index;
}

#else

std::shared_ptr<const FileIndex> make_index(const Origin&, bool) {
  throw Error("ERR_VSSL_NO_LIBAV",
              "this build has no video decoder; install FFmpeg's development packages and build again");
}

#endif  // VSSL_WITH_LIBAV

namespace {

VideoIndex index_origin(const Origin& origin, bool whole) {
  // A file that was written just now may be written again without another size or time.
  constexpr time_t kSettled = 2;  // seconds
  struct stat s {};
  const bool settled = ::stat(origin.path.c_str(), &s) == 0 && s.st_mtim.tv_sec + kSettled < ::time(nullptr);
  return (settled ? cached_index(origin, origin.identity(), whole) : make_index(origin, whole))->info;
}

}  // namespace

VideoIndex index_file(const std::string& path, bool whole) { return index_origin(Origin(path), whole); }

VideoIndex index_member(const Value& source, bool whole) {
  const SourcePlan plan = parse_source(source, "source");
  if (plan.kind != SourceKind::kMember)
    throw Error("ERR_VSSL_INVALID_ARGUMENT", "expected a source of kind 'member'");
  return index_origin(plan.origin(), whole);
}

}  // namespace vssl::video
