#include "timeline.h"

#ifdef VSSL_WITH_LIBAV

#include <algorithm>
#include <cmath>

namespace vssl::video {

namespace {

// How far a stamp may be from its neighbours' before it is doubted: more than any reordering, in pictures and
// in seconds.
constexpr int64_t kNearPictures = 32;
constexpr double kNearSeconds = 1;
// Pictures that a coder may hold back to show them in another order than it decodes them, in any codec.
constexpr int64_t kMostReordered = 16;
// Stray stamps in a row that are repaired; after more of them the clock has really moved.
constexpr size_t kMostStrays = 8;
// A stamp this much earlier than the latest is jitter, not a clock set back.
constexpr int64_t kJitterPictures = 3;
constexpr double kJitterSeconds = 0.1;
// No picture is on show for longer than this, or than so many times the usual duration.
constexpr double kLongestShow = 60;
constexpr double kLongestShowPictures = 20;

constexpr int64_t kFarthest = int64_t{1} << 60;  // sums of stamps stop here

std::string in_words(int64_t count, const char* one, const char* many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

// The stamps of the packets with a picture that is shown, in decoding order.
class Stamps {
 public:
  Stamps(const PacketScan& scan, double tick, double seconds)
      : scan_(scan), frame_(std::max<int64_t>(1, std::llround(seconds / tick))) {
    for (const PacketRecord& r : scan.packets) when.push_back(r.pts);
    for (size_t i = 0; i < when.size(); ++i) {
      if (when[i] != kNoTime && scan.is_shown(i)) order_.push_back(i);
    }
    near_ = std::max<int64_t>(kNearPictures * frame_, std::llround(kNearSeconds / tick));
    jitter_ = std::max<int64_t>(kJitterPictures * frame_, std::llround(kJitterSeconds / tick));
    far_ = std::llround(kLongestShow / tick);
  }

  // Single stamps out of line with those before and after them, which agree: put between these. Returns how
  // many.
  int64_t repair_strays() {
    int64_t repaired = 0;
    const size_t n = order_.size();
    // The first one has nothing before it: it strays when what follows is earlier and no key frame.
    if (n > 2 && near(at(1), at(2)) && !is_key(1) && is_displaced(0, 1)) {
      at(0) = at(1) - frame_;
      ++repaired;
    }
    for (size_t i = 1; i < n; ++i) {
      const int64_t before = at(i - 1);
      const auto goes_on = [&](size_t j) {
        return near(at(j), before) && at(j) >= before - kMostReordered * frame_;
      };
      if (near(at(i), before)) continue;
      size_t j = i + 1;
      while (j < n && j <= i + kMostStrays && !goes_on(j)) ++j;
      const bool returns = j < n && goes_on(j);
      // At the end nothing comes back: a later stamp may be a long show, an earlier one is no place for a
      // picture.
      const bool ends = j == n && at(i) < before && !is_key(i);
      if ((!returns && !ends) || !is_displaced(i, j)) continue;
      const auto steps = static_cast<int64_t>(j - i);
      for (int64_t k = 1; k <= steps; ++k) {
        at(i + static_cast<size_t>(k) - 1) =
            returns ? before + (at(j) - before) * k / (steps + 1) : before + frame_ * k;
      }
      repaired += steps;
      i = j - 1;
    }
    return repaired;
  }

  // A key frame that would be shown before pictures that were decoded before it: the clock has been set back,
  // as where recordings were joined. What follows is moved behind what was.
  bool continue_restarted_clock() {
    bool restarted = false;
    int64_t latest = kNoTime, last_dts = kNoTime, shift = 0;
    for (const size_t i : order_) {
      const PacketRecord& r = scan_.packets[i];
      when[i] += shift;
      // Where decoding times go on rising nobody has touched the clock.
      const bool goes_on = r.dts != kNoTime && last_dts != kNoTime && r.dts > last_dts;
      if (r.key && latest != kNoTime && when[i] < latest - jitter_ && !goes_on) {
        const int64_t more = latest + frame_ - when[i];
        shift = std::min(shift + more, kFarthest);
        when[i] = std::min(when[i] + more, 2 * kFarthest);
        restarted = true;
      }
      latest = std::max(latest, when[i]);
      if (r.dts != kNoTime) last_dts = r.dts;
    }
    return restarted;
  }

  std::vector<int64_t> when;  // by packet, stream time base

 private:
  int64_t& at(size_t i) { return when[order_[i]]; }
  int64_t at(size_t i) const { return when[order_[i]]; }
  bool is_key(size_t i) const { return scan_.packets[order_[i]].key; }
  bool near(int64_t a, int64_t b) const { return std::max(a, b) - std::min(a, b) <= near_; }

  // Whether picture i is shown further from its place in decoding order than any coder moves one: before all
  // of the many decoded before it, or after all of the many from j on. Near the ends of the file the distance
  // tells.
  bool is_displaced(size_t i, size_t j) const {
    const bool early = i > 0 && at(i) < at(i - 1);
    const size_t others = std::min<size_t>(kNearPictures, early ? i : order_.size() - j);
    if (others == 0) return early;
    int64_t nearest = INT64_MAX;
    for (size_t k = 0; k < others; ++k) {
      const int64_t ahead = early ? at(i - 1 - k) - at(i) : at(i) - at(j + k);
      if (ahead <= 0) return false;
      nearest = std::min(nearest, ahead);
    }
    return others > static_cast<size_t>(kMostReordered) || nearest > far_;
  }

  const PacketScan& scan_;
  std::vector<size_t> order_;  // packets that count
  const int64_t frame_;
  int64_t near_ = 0, jitter_ = 0, far_ = 0;
};

// Numbers the pictures by presentation time.
void place_by_time(FileIndex& index, const PacketScan& scan, const std::vector<int64_t>& when, double tick) {
  std::vector<int32_t> order;
  for (size_t i = 0; i < when.size(); ++i) {
    if (when[i] != kNoTime && scan.is_shown(i)) order.push_back(static_cast<int32_t>(i));
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

// Pictures in the order of output, at the frame rate. Those before the first key frame do not come out.
void place_by_count(FileIndex& index, const PacketScan& scan, double seconds) {
  index.numbering = Numbering::kCount;
  const auto key = std::find_if(index.packets.begin(), index.packets.end(),
                                [](const PacketRecord& r) { return r.feed && r.key; });
  const auto from = key == index.packets.end() ? 0 : static_cast<size_t>(key - index.packets.begin());
  int64_t count = 0;
  for (size_t i = from; i < index.packets.size(); ++i) count += scan.is_shown(i);
  for (int64_t i = 0; i < count; ++i) index.info.times.push_back(static_cast<double>(i) * seconds);
}

double median_duration(const std::vector<double>& times) {
  std::vector<double> durations;
  for (size_t i = 1; i < times.size(); ++i) {
    if (times[i] > times[i - 1]) durations.push_back(times[i] - times[i - 1]);
  }
  if (durations.empty()) return 0;
  const auto middle = durations.begin() + static_cast<std::ptrdiff_t>((durations.size() - 1) / 2);
  std::nth_element(durations.begin(), middle, durations.end());
  return *middle;
}

// Where the clock runs away the pictures after the gap move up behind those before it.
void close_gaps(VideoIndex& info) {
  std::vector<double>& times = info.times;
  const double usual = median_duration(times);
  const double longest = std::max(kLongestShow, kLongestShowPictures * usual);
  int64_t gaps = 0;
  double removed = 0, first = 0, last = times.front();
  for (size_t i = 1; i < times.size(); ++i) {
    const double gap = times[i] - last;
    last = times[i];
    if (gap > longest) {
      if (gaps++ == 0) first = times[i - 1];
      removed = last - (times[i - 1] + usual);
    }
    // Stamps of a far away clock are coarse: no time may fall for that.
    times[i] = std::max(last - removed, times[i - 1]);
  }
  if (gaps == 0) return;
  info.warnings.push_back("the clock jumps ahead " + in_words(gaps, "time", "times") + ", first after " +
                          std::to_string(first) + " s, by " + std::to_string(std::llround(removed)) +
                          " s in all; what follows moves up");
}

double end_of(const FileIndex& index, const PacketScan& scan, double tick, double seconds) {
  const std::vector<double>& times = index.info.times;
  const double last = times.back();
  for (size_t i = 0; i < index.packets.size(); ++i) {
    if (index.packets[i].position + 1 == static_cast<int32_t>(times.size()) && scan.durations[i] > 0) {
      const double lasts = static_cast<double>(scan.durations[i]) * tick;
      if (lasts <= kLongestShow) return last + lasts;
    }
  }
  if (times.size() > 1 && times.back() > times[times.size() - 2]) return 2 * last - times[times.size() - 2];
  return last + seconds;
}

}  // namespace

double frame_seconds(const AVStream* stream) {
  for (const AVRational r : {stream->avg_frame_rate, stream->r_frame_rate}) {
    if (r.num > 0 && r.den > 0) {
      const double s = av_q2d(av_inv_q(r));
      if (s > 1e-5 && s < 1e4) return s;
    }
  }
  return 1.0 / 25;
}

void make_timeline(FileIndex& index, const PacketScan& scan, double tick, double seconds) {
  std::vector<std::string>& warnings = index.info.warnings;
  int64_t timed = 0;
  for (size_t i = 0; i < scan.packets.size(); ++i)
    timed += scan.is_shown(i) && scan.packets[i].pts != kNoTime;
  if (is_numbered_by_feeding(scan, index.parameters.get())) {
    place_by_feeding(index, tick, seconds);
  } else if (2 * timed >= scan.shown()) {
    // Packets without a time stamp among others that have one are the second fields of their pictures.
    Stamps stamps(scan, tick, seconds);
    const int64_t strays = stamps.repair_strays();
    if (strays > 0) {
      warnings.push_back(in_words(strays, "time stamp strays", "time stamps stray") +
                         " from its neighbours'; set between them");
    }
    if (stamps.continue_restarted_clock())
      warnings.push_back("the clock of the file is set back on the way; times go on from the last picture");
    place_by_time(index, scan, stamps.when, tick);
  } else {
    place_by_count(index, scan, seconds);
    warnings.push_back("no presentation times in the file; pictures are taken in decoder order");
  }
  close_gaps(index.info);
  index.info.end = end_of(index, scan, tick, seconds);
}

}  // namespace vssl::video

#endif  // VSSL_WITH_LIBAV
