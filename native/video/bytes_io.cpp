#include "bytes_io.h"

#ifdef VSSL_WITH_LIBAV

#include <cstdio>
#include <new>

#include "libav.h"

namespace vssl::video {

namespace {

constexpr int kBuffer = 32768;  // bytes; as libav has it for files

int refuse_to_open(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) {
  return AVERROR(EACCES);
}

}  // namespace

BytesIo::BytesIo(std::shared_ptr<const Bytes> bytes, const Deadline* deadline)
    : bytes_(std::move(bytes)), deadline_(deadline) {
  auto* buffer = static_cast<uint8_t*>(av_malloc(kBuffer));
  if (buffer) context_ = avio_alloc_context(buffer, kBuffer, 0, this, read, nullptr, seek);
  if (context_) return;
  av_free(buffer);
  throw std::bad_alloc();
}

BytesIo::~BytesIo() {
  av_freep(&context_->buffer);  // libav may have put another in its place
  avio_context_free(&context_);
}

void BytesIo::attach(AVFormatContext* format) {
  format->pb = context_;
  format->io_open = refuse_to_open;
}

int BytesIo::read(void* self, uint8_t* out, int count) {
  auto* io = static_cast<BytesIo*>(self);
  if (io->deadline_->passed()) return AVERROR_EXIT;
  const int64_t got = io->bytes_->read(out, io->position_, count);
  if (got < 0) return AVERROR(static_cast<int>(-got));
  io->position_ += got;
  return got > 0 ? static_cast<int>(got) : AVERROR_EOF;
}

int64_t BytesIo::seek(void* self, int64_t offset, int whence) {
  auto* io = static_cast<BytesIo*>(self);
  const int64_t size = io->bytes_->size();
  int64_t to = offset;
  switch (whence & ~AVSEEK_FORCE) {
    case AVSEEK_SIZE:
      return size;
    case SEEK_SET:
      break;
    case SEEK_CUR:
      to += io->position_;
      break;
    case SEEK_END:
      to += size;
      break;
    default:
      return AVERROR(EINVAL);
  }
  if (to < 0) return AVERROR(EINVAL);
  return io->position_ = to;  // behind the end, as with files: nothing is read there
}

}  // namespace vssl::video

#endif  // VSSL_WITH_LIBAV
