#include "cache.h"

namespace vssl::video {

namespace {

// Look-ups per held picture after which one that nobody asked for may go.
constexpr uint64_t kStale = 4;

uint64_t hash_text(const std::string& text, uint64_t seed) {
  uint64_t h = seed;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001B3ull;
  h ^= h >> 32;
  h *= 0xD6E8FEB86659FD93ull;
  return h ^ (h >> 32);
}

}  // namespace

PictureKey picture_key(const std::string& identity, int32_t position, int32_t shrink) {
  return {hash_text(identity, 0xCBF29CE484222325ull), hash_text(identity, 0x84222325CBF29CE4ull), position,
          shrink};
}

PicturePtr PictureCache::find(const PictureKey& key) {
  if (max_bytes_ <= 0) return nullptr;
  std::lock_guard<std::mutex> lock(mutex_);
  ++clock_;
  const auto it = by_key_.find(key);
  if (it == by_key_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, it->second);
  it->second->used = clock_;
  return it->second->picture;
}

void PictureCache::put(const PictureKey& key, const PicturePtr& picture) {
  if (max_bytes_ <= 0) return;
  const int64_t size = picture->bytes() + 128;  // with the entry's own nodes
  std::lock_guard<std::mutex> lock(mutex_);
  if (by_key_.count(key)) return;
  while (bytes_ + size > max_bytes_) {
    if (entries_.empty() || entries_.back().used + kStale * entries_.size() > clock_) return;
    bytes_ -= entries_.back().picture->bytes() + 128;
    by_key_.erase(entries_.back().key);
    entries_.pop_back();
  }
  entries_.push_front({key, picture, clock_});
  by_key_[key] = entries_.begin();
  bytes_ += size;
}

bool PictureCache::has_room() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return bytes_ < max_bytes_ - max_bytes_ / 64;
}

int64_t PictureCache::bytes() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return bytes_;
}

}  // namespace vssl::video
