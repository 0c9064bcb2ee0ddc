// Which picture may be shown in place of one that cannot be had, in video files and folders of pictures
// alike.
#pragma once

#include <cstdint>

namespace vssl::video {

// Whether a picture so far back may stand in: at most 3 pictures or 0.5 seconds.
inline bool may_stand_in(int64_t pictures_back, double seconds_back) {
  constexpr int64_t kPictures = 3;
  constexpr double kSeconds = 0.5;
  return pictures_back <= kPictures || seconds_back <= kSeconds;
}

}  // namespace vssl::video
