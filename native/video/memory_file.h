// Encoded videos in memory.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace vssl::video {

struct FileIndex;

// Bytes that libav reads by our hand.
class Bytes {
 public:
  virtual ~Bytes() = default;
  virtual int64_t size() const = 0;
  // Copies up to `count` bytes from `offset` on; returns how many there were, or an errno below 0.
  virtual int64_t read(uint8_t* out, int64_t offset, int64_t count) const = 0;
};

// An encoded file in memory. One thread appends to it; once it is handed on to be read it stays as it is, and
// any number of threads read. It holds copies: what the bytes were copied from may change or go.
class MemoryFile : public Bytes {
 public:
  MemoryFile();

  // Throws std::bad_alloc.
  void append(const uint8_t* data, int64_t size);
  int64_t size() const override { return size_; }
  int64_t read(uint8_t* out, int64_t offset, int64_t count) const override;

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

}  // namespace vssl::video
