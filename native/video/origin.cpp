#include "origin.h"

#include <algorithm>

#include "file_bytes.h"
#include "index.h"

namespace vssl::video {

namespace {

// Every reader has a descriptor of its own, as libav has for files.
class PartBytes : public Bytes {
 public:
  PartBytes(const std::string& path, const Part& part) : file_(path), offset_(part.offset), size_(part.size) {
    if (!file_.reaches(offset_ + size_)) {
      throw Error("ERR_VSSL_VIDEO_OPEN",
                  "cannot open: the archive ends before this member does; was it cut, or copied in part?");
    }
  }

  int64_t size() const override { return size_; }
  int64_t read(uint8_t* out, int64_t offset, int64_t count) const override {
    if (offset < 0 || offset >= size_) return 0;
    return file_.read_some(out, std::min(count, size_ - offset), offset_ + offset);
  }

 private:
  const FileBytes file_;
  const int64_t offset_, size_;
};

}  // namespace

std::string Origin::identity() const {
  if (memory) return memory->identity();
  std::string whole = file_identity(path);
  if (!part) return whole;
  return whole + '\n' + std::to_string(part->offset) + ' ' + std::to_string(part->size) + ' ' + part->name;
}

std::shared_ptr<const Bytes> Origin::bytes() const {
  if (part) return std::make_shared<PartBytes>(path, *part);
  return memory;
}

}  // namespace vssl::video
