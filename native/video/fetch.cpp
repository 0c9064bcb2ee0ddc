// Sources without a decoder, and the choice between sources. Video files: fetch_file.cpp; pictures:
// fetch_images.cpp.
#include "fetch.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <new>

#include "../common/memory.h"
#include "file_bytes.h"
#include "reader.h"
#include "synthetic.h"

namespace vssl::video {

namespace {

// Calls make(position) once per different picture of the clip and shares the result.
template <typename Make>
void fill(FetchRequest& request, double fps, int64_t count, const Make& make) {
  std::map<int64_t, PicturePtr> made;
  for (const double t : request.clip->times) {
    const int64_t position = picture_at_rate(t, fps, count);
    PicturePtr& picture = made[position];
    if (!picture) picture = make(position);
    request.pictures.push_back(picture);
  }
}

}  // namespace

int64_t picture_at_rate(double t, double fps, int64_t count) {
  const double position = slot_at_rate(t, fps);
  if (!(position > 0)) return 0;
  return position >= static_cast<double>(count) ? count - 1 : static_cast<int64_t>(position);
}

Fetcher::Fetcher(int64_t cache_bytes, int idle_readers)
    : cache_(cache_bytes), idle_readers_(static_cast<size_t>(idle_readers)) {}

Fetcher::~Fetcher() = default;

void Fetcher::fetch(std::vector<FetchRequest*>& requests, LoadStats& stats) {
  const auto started = std::chrono::steady_clock::now();
  const SourceKind kind = requests.front()->clip->source.kind;
  if (kind == SourceKind::kFile || kind == SourceKind::kMember || kind == SourceKind::kBytes) {
    fetch_file(requests, stats);
  } else {
    for (FetchRequest* request : requests) {
      if (cancelled()) throw FetchCancelled();
      const SourcePlan& source = request->clip->source;
      try {
        switch (source.kind) {
          case SourceKind::kImages:
            fetch_images(*request, stats);
            break;
          case SourceKind::kPacked:
            fetch_packed(*request);
            break;
          case SourceKind::kMemory:
            fetch_memory(*request);
            break;
          default:
            fetch_synthetic(*request);
        }
      } catch (const Error& e) {
        if (!request->failure) request->failure = ClipFailure{0, 0, source.name(), e.code, e.what(), -1};
      } catch (const std::exception& e) {  // out of memory
        request->failure = ClipFailure{0, 0, source.name(), "ERR_VSSL_VIDEO_DECODE", e.what(), -1};
      }
    }
  }
  stats.decode_seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
}

void Fetcher::fetch_packed(FetchRequest& request) {
  const SourcePlan& s = request.clip->source;
  const FileBytes file(s.path);
  const int64_t frame_bytes = s.height * s.width * 3;
  std::vector<uint8_t> frame;
  fill(request, s.fps, s.frames, [&](int64_t position) {
    const int64_t at = s.offset + position * frame_bytes;
    if (file.reaches(at + frame_bytes)) frame.resize(static_cast<size_t>(frame_bytes));
    if (frame.empty() || !file.read(frame.data(), frame_bytes, at))
      throw Error("ERR_VSSL_VIDEO_DECODE", "the packed file ends before this frame; was it copied in part?");
    return picture_from_rgb(frame.data(), s.height, s.width, request.clip->shrink);
  });
}

void Fetcher::fetch_memory(FetchRequest& request) {
  const SourcePlan& s = request.clip->source;
  std::shared_ptr<const MemoryClip> clip;
  {
    std::lock_guard<std::mutex> lock(memory_mutex_);
    const auto it = memory_.find(s.id);
    if (it != memory_.end()) clip = it->second;
  }
  if (!clip) {
    throw Error("ERR_VSSL_VIDEO_OPEN",
                "no clip with this id in memory; add it first, and remove it after its last use");
  }
  fill(request, s.fps, clip->t, [&](int64_t position) {
    return picture_from_rgb(clip->frames.data() + position * clip->h * clip->w * 3, clip->h, clip->w,
                            request.clip->shrink);
  });
}

void Fetcher::fetch_synthetic(FetchRequest& request) {
  const ClipPlan& clip = *request.clip;
  const SyntheticMotion motion = parse_synthetic(clip.source.synthetic);
  const SyntheticRenderer renderer(motion, motion.height, motion.width);
  std::vector<uint8_t> frame(static_cast<size_t>(motion.height) * motion.width * 3);
  for (const double t : clip.times) {
    renderer.render(frame.data(), t);
    request.pictures.push_back(picture_from_rgb(frame.data(), motion.height, motion.width, clip.shrink));
  }
}

int64_t Fetcher::add_memory_clip(const uint8_t* frames, int64_t t, int64_t h, int64_t w) {
  if (t < 1 || h < 1 || w < 1 || h > 8192 || w > 8192 || t > (int64_t{1} << 24)) {
    throw Error("ERR_VSSL_INVALID_ARGUMENT",
                "expected frames of shape (T, H, W, 3) with sides from 1 to 8192");
  }
  check_memory(static_cast<double>(t) * static_cast<double>(h * w * 3), "a clip in memory");
  auto clip = std::make_shared<MemoryClip>();
  clip->frames.assign(frames, frames + t * h * w * 3);
  clip->t = t;
  clip->h = h;
  clip->w = w;
  std::lock_guard<std::mutex> lock(memory_mutex_);
  memory_[next_memory_id_] = std::move(clip);
  return next_memory_id_++;
}

void Fetcher::remove_memory_clip(int64_t id) {
  std::lock_guard<std::mutex> lock(memory_mutex_);
  memory_.erase(id);
}

std::shared_ptr<const MemoryFile> Fetcher::remove_memory_file(int64_t id) {
  std::shared_ptr<MemoryFile> file = files_.remove(id);
  if (!file) return nullptr;
  std::lock_guard<std::mutex> lock(readers_mutex_);
  const auto reads_it = [&](const auto& idle) { return idle.first == file->identity(); };
  readers_.erase(std::remove_if(readers_.begin(), readers_.end(), reads_it), readers_.end());
  return file;
}

#ifndef VSSL_WITH_LIBAV

class Reader {};

namespace {
constexpr const char* kNoLibav =
    "this build has no decoder; install FFmpeg's development packages and build again";
}

void Fetcher::fetch_file(std::vector<FetchRequest*>& requests, LoadStats&) {
  for (FetchRequest* r : requests) {
    r->failure = ClipFailure{0, 0, r->clip->source.name(), "ERR_VSSL_NO_LIBAV", kNoLibav, -1};
  }
}

void Fetcher::fetch_images(FetchRequest&, LoadStats&) { throw Error("ERR_VSSL_NO_LIBAV", kNoLibav); }

#endif

}  // namespace vssl::video
