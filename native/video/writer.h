// Video files for a caller that writes them itself. Public, beside video.h; the same rules.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "video.h"

namespace vssl::video {

// A part of a file: `bytes` have their place at byte `at` of it.
struct FilePart {
  int64_t at = 0;
  std::vector<uint8_t> bytes;
};

// Encodes frames a stretch at a time into the parts of a MOV file, for a caller that writes them: nearly all
// follow one another, the last ones go back to the beginning. Beside a stretch, memory is taken for the
// file's list of its frames alone. Of the options `times` is not for it. One call at a time. Throws as
// write_video does; after that, and after finish(), ERR_VSSL_INVALID_ARGUMENT.
class VideoWriter {
 public:
  VideoWriter(int64_t h, int64_t w, const WriteOptions& options);
  ~VideoWriter();
  // Uint8 RGB (T, H, W, 3), T >= 1.
  std::vector<FilePart> add(const uint8_t* frames, int64_t bytes);
  std::vector<FilePart> finish();  // at least one frame was added

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vssl::video
