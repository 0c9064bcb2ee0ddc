// Bytes of a file by place: packed clips, stored flow, members of archives.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>

#include "open_error.h"

namespace vssl::video {

class FileBytes {
 public:
  // Throws what open_error says. A pipe is opened without waiting for a writer, and holds nothing.
  explicit FileBytes(const std::string& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    if (fd_ < 0) throw open_error("cannot open", errno, std::strerror(errno));
  }
  ~FileBytes() { ::close(fd_); }
  FileBytes(const FileBytes&) = delete;
  FileBytes& operator=(const FileBytes&) = delete;

  // Whether the file reaches to byte `end`: asked before memory is taken for what a manifest claims.
  bool reaches(int64_t end) const {
    struct stat s {};
    return ::fstat(fd_, &s) == 0 && s.st_size >= end;
  }

  // Up to `bytes` of them; returns how many there were, or an errno below 0.
  int64_t read_some(uint8_t* out, int64_t bytes, int64_t offset) const {
    for (;;) {
      const ssize_t got = ::pread(fd_, out, static_cast<size_t>(bytes), offset);
      if (got >= 0 || errno != EINTR) return got < 0 ? -errno : got;
    }
  }

  // False when the file ends before.
  bool read(uint8_t* out, int64_t bytes, int64_t offset) const {
    while (bytes > 0) {
      const int64_t got = read_some(out, bytes, offset);
      if (got <= 0) return false;
      out += got;
      offset += got;
      bytes -= got;
    }
    return true;
  }

 private:
  const int fd_;
};

}  // namespace vssl::video
