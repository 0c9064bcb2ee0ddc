// Bytes as libav reads them.
#pragma once

#ifdef VSSL_WITH_LIBAV

#include <memory>

#include "memory_file.h"

struct AVFormatContext;
struct AVIOContext;

namespace vssl::video {

class Deadline;

class BytesIo {
 public:
  // `deadline` has to live as long.
  BytesIo(std::shared_ptr<const Bytes> bytes, const Deadline* deadline);
  ~BytesIo();
  BytesIo(const BytesIo&) = delete;
  BytesIo& operator=(const BytesIo&) = delete;

  // Before avformat_open_input: everything is read from here, and nothing else is ever opened, whatever the
  // bytes name. Must outlive the context.
  void attach(AVFormatContext* format);

 private:
  static int read(void* self, uint8_t* out, int count);
  static int64_t seek(void* self, int64_t offset, int whence);

  const std::shared_ptr<const Bytes> bytes_;
  const Deadline* const deadline_;
  int64_t position_ = 0;
  AVIOContext* context_ = nullptr;
};

}  // namespace vssl::video

#endif  // VSSL_WITH_LIBAV
