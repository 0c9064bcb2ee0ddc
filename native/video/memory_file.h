// Where the bytes of an encoded video come from: a file, or memory.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace vssl::video {

struct FileIndex;

// An encoded file in memory. One thread appends to it; once it is handed on to be read it stays as it is, and
// any number of threads read. It holds copies: what the bytes were copied from may change or go.
class MemoryFile {
 public:
  MemoryFile();

  // Throws std::bad_alloc.
  void append(const uint8_t* data, int64_t size);
  int64_t size() const { return size_; }
  // Copies up to `count` bytes from `offset` on; returns how many there were.
  int64_t read(uint8_t* out, int64_t offset, int64_t count) const;

  // Nobody will ask for it again; readers that were kept for later go.
  void remove() { removed_ = true; }
  bool removed() const { return removed_; }

  // Unlike that of any other file or memory file of this process.
  const std::string& identity() const { return identity_; }

  // What `make` gives the first time it does not throw.
  std::shared_ptr<const FileIndex> index_once(
      const std::function<std::shared_ptr<const FileIndex>()>& make) const;

 private:
  const std::string identity_;
  std::vector<std::unique_ptr<uint8_t[]>> blocks_;  // all of one size, so that nothing is copied as it grows
  int64_t size_ = 0;
  std::atomic<bool> removed_{false};
  mutable std::mutex index_mutex_;
  mutable std::shared_ptr<const FileIndex> index_;
};

// Files in memory by number. Any thread.
class MemoryFiles {
 public:
  int64_t add();
  // Throws ERR_VSSL_INVALID_ARGUMENT when the file is complete or the number unknown.
  void append(int64_t id, const uint8_t* data, int64_t size);
  // Ends the appending. Throws ERR_VSSL_VIDEO_OPEN when the number is unknown.
  std::shared_ptr<const MemoryFile> complete(int64_t id);
  std::shared_ptr<MemoryFile> remove(int64_t id);  // null when the number is unknown

 private:
  struct Entry {
    std::shared_ptr<MemoryFile> file;
    bool complete = false;
  };
  std::mutex mutex_;
  std::map<int64_t, Entry> entries_;
  int64_t next_id_ = 1;
};

// A file by its path, or one in memory.
struct Origin {
  Origin() = default;
  Origin(std::string file) : path(std::move(file)) {}
  Origin(std::shared_ptr<const MemoryFile> file) : memory(std::move(file)) {}

  // Of the present content. Throws ERR_VSSL_VIDEO_OPEN where there is no such file.
  std::string identity() const;

  std::string path;                          // when `memory` is null
  std::shared_ptr<const MemoryFile> memory;  // or null
};

}  // namespace vssl::video
