// Pictures of video files: which ones the times name, what the cache has, and decoding of the rest by
// segments.
#include "fetch.h"

#ifdef VSSL_WITH_LIBAV

#include <algorithm>
#include <new>
#include <set>

#include "convert.h"
#include "index.h"
#include "reader.h"
#include "stand_in.h"

namespace vssl::video {

namespace {

// Segments up to this many pictures are decoded to their end while the cache has room.
constexpr int32_t kWholeSegment = 600;

using Want = std::pair<int32_t, int32_t>;  // position, shrink

bool is_missing(const FileIndex& index, int32_t position) {
  std::lock_guard<std::mutex> lock(index.findings.mutex);
  return index.findings.missing.count(position) != 0;
}

// The picture that is shown for `position`: itself, or the nearest earlier one that is not known to be
// missing and near enough; -1 when there is none.
int32_t stand_in(const FileIndex& index, int32_t position) {
  const std::vector<double>& times = index.info.times;
  for (int32_t p = position; p >= 0; --p) {
    if (!may_stand_in(position - p, times[position] - times[p])) return -1;
    if (!is_missing(index, p)) return p;
  }
  return -1;
}

int32_t segment_of(const FileIndex& index, int32_t position) {
  const auto after = std::upper_bound(index.segments.begin(), index.segments.end(), position,
                                      [](int32_t p, const Segment& s) { return p < s.first; });
  return static_cast<int32_t>(after - index.segments.begin()) - 1;
}

}  // namespace

// What one source's requests need together.
struct Fetcher::FileJob {
  Origin origin;
  std::string path, identity;  // `path`: the name in failures
  std::shared_ptr<const FileIndex> index;
  std::map<Want, PicturePtr> pictures;  // null: still wanted
  std::set<int32_t> shrinks;
};

PictureCache& Fetcher::cache_of(const FileJob& job) { return job.origin.memory ? no_cache_ : cache_; }

std::unique_ptr<Reader> Fetcher::acquire_reader(const std::string& identity, const Origin& origin,
                                                const std::shared_ptr<const FileIndex>& index) {
  {
    std::lock_guard<std::mutex> lock(readers_mutex_);
    for (size_t i = readers_.size(); i-- > 0;) {
      if (readers_[i].first != identity) continue;
      std::unique_ptr<Reader> reader = std::move(readers_[i].second);
      readers_.erase(readers_.begin() + static_cast<std::ptrdiff_t>(i));
      return reader;
    }
  }
  return std::make_unique<Reader>(origin, index);
}

void Fetcher::release_reader(const std::string& identity, const Origin& origin,
                             std::unique_ptr<Reader> reader) {
  std::unique_ptr<Reader> oldest;  // closed outside the lock
  std::lock_guard<std::mutex> lock(readers_mutex_);
  if (origin.memory && origin.memory->removed()) {
    oldest = std::move(reader);
    return;
  }
  readers_.emplace_back(identity, std::move(reader));
  if (readers_.size() > idle_readers_) {
    oldest = std::move(readers_.front().second);
    readers_.erase(readers_.begin());
  }
}

// Decodes every segment that holds a wanted picture. Pictures that do not come stay null and are in the
// findings.
void Fetcher::decode_missing(FileJob& job, LoadStats& stats) {
  std::map<int32_t, std::set<int32_t>> by_segment;  // segment -> positions
  for (const auto& [want, picture] : job.pictures) {
    if (!picture && !is_missing(*job.index, want.first)) {
      by_segment[segment_of(*job.index, want.first)].insert(want.first);
    }
  }
  if (by_segment.empty()) return;
  std::unique_ptr<Reader> reader = acquire_reader(job.identity, job.origin, job.index);
  const int64_t before = reader->decoded_frames();
  for (auto& entry : by_segment) {
    const int32_t segment = entry.first;
    std::set<int32_t>& positions = entry.second;
    const Segment& s = job.index->segments[segment];
    const bool whole = s.last - s.first <= kWholeSegment;
    reader->decode(segment, *positions.begin(), [&](int32_t position, const AVFrame* frame) {
      if (cancelled()) throw FetchCancelled();
      const bool room = cache_of(job).has_room();
      positions.erase(position);
      for (const int32_t shrink : job.shrinks) {
        const auto it = job.pictures.find({position, shrink});
        const bool wanted = it != job.pictures.end() && !it->second;
        if (!wanted && !room) continue;
        const PicturePtr picture = picture_from_frame(frame, job.index->info.orientation, shrink);
        if (wanted) it->second = picture;
        cache_of(job).put(picture_key(job.identity, position, shrink), picture);
      }
      return !positions.empty() || (room && whole);
    });
  }
  stats.decoded_frames += reader->decoded_frames() - before;
  release_reader(job.identity, job.origin, std::move(reader));
}

// The pictures that the requests want, those of the last look and those of the cache among them.
void Fetcher::look_up(FileJob& job, const std::vector<FetchRequest*>& requests, LoadStats& stats) {
  std::map<Want, PicturePtr> known;
  known.swap(job.pictures);
  for (const FetchRequest* r : requests) {
    job.shrinks.insert(r->clip->shrink);
    for (const double t : r->clip->times) {
      const int32_t p = stand_in(*job.index, static_cast<int32_t>(position_at(job.index->info.times, t)));
      if (p < 0) continue;
      const Want want{p, r->clip->shrink};
      if (job.pictures.count(want)) continue;
      PicturePtr& picture = job.pictures[want];
      const auto it = known.find(want);
      if (it != known.end() && it->second) {
        picture = it->second;
        continue;
      }
      picture = cache_of(job).find(picture_key(job.identity, p, r->clip->shrink));
      ++(picture ? stats.cache_hits : stats.cache_misses);
    }
  }
}

// Gives a request its pictures, or says which of them cannot be had.
void Fetcher::hand_out(const FileJob& job, FetchRequest& request, LoadStats& stats) {
  for (const double t : request.clip->times) {
    const auto wanted = static_cast<int32_t>(position_at(job.index->info.times, t));
    const int32_t p = stand_in(*job.index, wanted);
    stats.stand_ins += p != wanted;
    if (p < 0) {
      request.failure = ClipFailure{0,
                                    0,
                                    job.path,
                                    "ERR_VSSL_VIDEO_DECODE",
                                    "no sound picture at this time or shortly before it; the data is damaged",
                                    t};
      return;
    }
    request.pictures.push_back(job.pictures.at({p, request.clip->shrink}));
  }
}

void Fetcher::fetch_file(std::vector<FetchRequest*>& requests, LoadStats& stats) {
  FileJob job;
  const SourcePlan& source = requests.front()->clip->source;
  job.path = source.name();
  const auto fail_all = [&](const std::string& code, const std::string& reason) {
    for (FetchRequest* r : requests) {
      if (!r->failure) r->failure = ClipFailure{0, 0, job.path, code, reason, -1};
    }
  };
  try {
    job.origin = source.kind == SourceKind::kBytes ? Origin(files_.complete(source.id)) : source.origin();
    job.identity = job.origin.identity();
    job.index = cached_index(job.origin, job.identity);
    // Pictures that do not come out are replaced by earlier ones, which are looked up and decoded in turn.
    for (bool complete = false; !complete;) {
      look_up(job, requests, stats);
      decode_missing(job, stats);
      complete = true;
      for (const auto& [want, picture] : job.pictures) complete = complete && picture;
    }
    for (FetchRequest* r : requests) hand_out(job, *r, stats);
  } catch (const Error& e) {
    fail_all(e.code, e.what());
  } catch (const std::exception& e) {  // out of memory
    fail_all("ERR_VSSL_VIDEO_DECODE", std::string("decoding stopped: ") + e.what());
  }
}

}  // namespace vssl::video

#endif  // VSSL_WITH_LIBAV
