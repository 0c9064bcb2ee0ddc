#include "buffers.h"

#include <cstdlib>
#include <new>

namespace vssl::video {

namespace {

constexpr size_t kMaxFree = 6;  // a few batches ahead, two views each

void* allocate(int64_t bytes) {
  constexpr size_t kAlignment = 64;
  void* data = std::aligned_alloc(kAlignment, (static_cast<size_t>(bytes) / kAlignment + 1) * kAlignment);
  if (!data) throw std::bad_alloc();
  return data;
}

}  // namespace

std::shared_ptr<void> aligned_buffer(int64_t bytes) { return {allocate(bytes), std::free}; }

BufferPool::~BufferPool() {
  for (const Free& f : free_) std::free(f.data);
}

std::shared_ptr<void> BufferPool::take(int64_t bytes) {
  void* data = nullptr;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    for (size_t i = 0; i < free_.size(); ++i) {
      if (free_[i].bytes != bytes) continue;
      data = free_[i].data;
      free_.erase(free_.begin() + static_cast<std::ptrdiff_t>(i));
      break;
    }
  }
  if (!data) data = allocate(bytes);
  return std::shared_ptr<void>(data, [pool = weak_from_this(), bytes](void* p) {
    if (const auto alive = pool.lock()) {
      alive->give_back(p, bytes);
    } else {
      std::free(p);
    }
  });
}

void BufferPool::give_back(void* data, int64_t bytes) {
  void* dropped = nullptr;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    free_.push_back({data, bytes});
    if (free_.size() > kMaxFree) {  // sizes that are no longer asked for go first
      dropped = free_.front().data;
      free_.erase(free_.begin());
    }
  }
  std::free(dropped);
}

}  // namespace vssl::video
