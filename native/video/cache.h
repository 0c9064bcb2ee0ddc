// Decoded, shrunk pictures that threads share, bounded in bytes. It changes how fast a batch comes, never its
// bytes.
#pragma once

#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <unordered_map>

#include "picture.h"

namespace vssl::video {

struct PictureKey {
  uint64_t source = 0, check = 0;  // two hashes of the source's identity
  int32_t position = 0, shrink = 1;
  bool operator==(const PictureKey& o) const {
    return source == o.source && check == o.check && position == o.position && shrink == o.shrink;
  }
};

PictureKey picture_key(const std::string& identity, int32_t position, int32_t shrink);

class PictureCache {
 public:
  explicit PictureCache(int64_t max_bytes) : max_bytes_(max_bytes) {}

  PicturePtr find(const PictureKey& key);
  // Keeps the picture when there is room. Without room a picture is let in only for pictures that nobody
  // asked for in a long time: training walks through all videos in turn, and plain LRU would drop each just
  // before its use.
  void put(const PictureKey& key, const PicturePtr& picture);
  bool has_room() const;
  int64_t bytes() const;

 private:
  struct Entry {
    PictureKey key;
    PicturePtr picture;
    uint64_t used = 0;
  };
  struct Hash {
    size_t operator()(const PictureKey& k) const {
      return k.source ^ (static_cast<uint64_t>(k.position) * 0x9E3779B97F4A7C15ull) ^
             (static_cast<uint64_t>(k.shrink) << 56);
    }
  };

  const int64_t max_bytes_;
  mutable std::mutex mutex_;
  std::list<Entry> entries_;  // latest use first
  std::unordered_map<PictureKey, std::list<Entry>::iterator, Hash> by_key_;
  int64_t bytes_ = 0;
  uint64_t clock_ = 0;  // number of look-ups so far
};

}  // namespace vssl::video
