#include "memory_file.h"

#include <algorithm>
#include <cstring>

#include "index.h"

namespace vssl::video {

namespace {

constexpr int64_t kBlock = int64_t{1} << 20;  // bytes; pages of it that were never written take no memory

std::string next_identity() {
  static std::atomic<int64_t> next{0};
  return "memory\n" + std::to_string(++next);  // a file's goes on with two more numbers
}

}  // namespace

MemoryFile::MemoryFile() : identity_(next_identity()) {}

void MemoryFile::append(const uint8_t* data, int64_t size) {
  while (size > 0) {
    const int64_t within = size_ % kBlock;
    if (within == 0) blocks_.emplace_back(new uint8_t[kBlock]);  // not set to 0
    const int64_t count = std::min(size, kBlock - within);
    std::memcpy(blocks_.back().get() + within, data, static_cast<size_t>(count));
    data += count;
    size -= count;
    size_ += count;
  }
}

int64_t MemoryFile::read(uint8_t* out, int64_t offset, int64_t count) const {
  if (offset < 0) return 0;
  const int64_t end = offset + std::min(count, std::max<int64_t>(0, size_ - offset));
  int64_t at = offset;
  while (at < end) {
    const int64_t within = at % kBlock, part = std::min(end - at, kBlock - within);
    std::memcpy(out, blocks_[static_cast<size_t>(at / kBlock)].get() + within, static_cast<size_t>(part));
    out += part;
    at += part;
  }
  return at - offset;
}

std::shared_ptr<const FileIndex> MemoryFile::index_once(
    const std::function<std::shared_ptr<const FileIndex>()>& make) const {
  std::lock_guard<std::mutex> lock(index_mutex_);
  if (!index_) index_ = make();
  return index_;
}

int64_t MemoryFiles::add() {
  auto file = std::make_shared<MemoryFile>();
  std::lock_guard<std::mutex> lock(mutex_);
  entries_[next_id_] = {std::move(file), false};
  return next_id_++;
}

void MemoryFiles::append(int64_t id, const uint8_t* data, int64_t size) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto it = entries_.find(id);
  if (it == entries_.end() || it->second.complete) {
    throw Error("ERR_VSSL_INVALID_ARGUMENT",
                "expected the id of a file in memory that is neither complete nor removed");
  }
  it->second.file->append(data, size);
}

std::shared_ptr<const MemoryFile> MemoryFiles::complete(int64_t id) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto it = entries_.find(id);
  if (it == entries_.end()) {
    throw Error("ERR_VSSL_VIDEO_OPEN",
                "no file with this id in memory; add it first, and remove it after its last use");
  }
  it->second.complete = true;
  return it->second.file;
}

std::shared_ptr<MemoryFile> MemoryFiles::remove(int64_t id) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto it = entries_.find(id);
  if (it == entries_.end()) return nullptr;
  std::shared_ptr<MemoryFile> file = std::move(it->second.file);
  entries_.erase(it);
  file->remove();
  return file;
}

}  // namespace vssl::video
