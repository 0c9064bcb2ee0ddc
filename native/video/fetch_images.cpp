// Folders of pictures: one file a picture, each decoded for itself.
#include "fetch.h"

#ifdef VSSL_WITH_LIBAV

#include <map>
#include <optional>
#include <utility>

#include "convert.h"
#include "first_picture.h"
#include "index.h"
#include "stand_in.h"

namespace vssl::video {

PicturePtr Fetcher::read_image(const std::string& path, int shrink, LoadStats& stats) {
  const PictureKey key = picture_key(file_identity(path), 0, shrink);
  PicturePtr picture = cache_.find(key);
  ++(picture ? stats.cache_hits : stats.cache_misses);
  if (picture) return picture;
  const StillPicture still = read_still(path);
  ++stats.decoded_frames;
  picture = picture_from_frame(still.frame.get(), still.orientation, shrink);
  cache_.put(key, picture);
  return picture;
}

// A picture that cannot be read is replaced by the nearest earlier one that can, as in a video.
void Fetcher::fetch_images(FetchRequest& request, LoadStats& stats) {
  const ClipPlan& clip = *request.clip;
  const std::vector<std::string>& files = clip.source.files;
  const double fps = clip.source.fps;
  struct Outcome {
    PicturePtr picture;
    std::optional<Error> fault;
  };
  std::map<int64_t, Outcome> outcomes;  // by position
  const auto read = [&](int64_t position) -> const Outcome& {
    const auto [it, is_new] = outcomes.try_emplace(position);
    if (!is_new) return it->second;
    if (cancelled()) throw FetchCancelled();
    try {
      it->second.picture = read_image(files[static_cast<size_t>(position)], clip.shrink, stats);
    } catch (const Error& e) {
      if (e.code.rfind("ERR_VSSL_VIDEO_", 0) != 0) throw;  // not the picture's fault
      it->second.fault = e;
    }
    return it->second;
  };
  for (const double t : clip.times) {
    const int64_t wanted = picture_at_rate(t, fps, static_cast<int64_t>(files.size()));
    PicturePtr picture;
    for (int64_t p = wanted; p >= 0 && !picture; --p) {
      if (!may_stand_in(wanted - p, static_cast<double>(wanted - p) / fps)) break;
      picture = read(p).picture;
    }
    if (!picture) {
      const Error& fault = *read(wanted).fault;
      request.failure = ClipFailure{0, 0, files[static_cast<size_t>(wanted)], fault.code, fault.what(), t};
      return;
    }
    request.pictures.push_back(std::move(picture));
  }
}

}  // namespace vssl::video

#endif  // VSSL_WITH_LIBAV
