// Where the bytes of an encoded video come from: a file, a part of a file, or memory.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "memory_file.h"

namespace vssl::video {

// Bytes of a file that are a video file themselves: a member of a tar archive.
struct Part {
  int64_t offset = 0, size = 0;
  std::string name;  // formats that have no mark of their own are told by its suffix
};

struct Origin {
  Origin() = default;
  Origin(std::string file) : path(std::move(file)) {}
  Origin(std::string file, Part of_it) : path(std::move(file)), part(std::move(of_it)) {}
  Origin(std::shared_ptr<const MemoryFile> file) : memory(std::move(file)) {}

  // Of the present content. Throws ERR_VSSL_VIDEO_OPEN where there is no such file.
  std::string identity() const;

  // What libav reads by our hand; null for a whole file, which it opens itself. Throws ERR_VSSL_VIDEO_OPEN,
  // ERR_VSSL_TOO_MANY_FILES.
  std::shared_ptr<const Bytes> bytes() const;

  std::string path;                          // when `memory` is null
  std::optional<Part> part;                  // of that file
  std::shared_ptr<const MemoryFile> memory;  // or null
};

}  // namespace vssl::video
