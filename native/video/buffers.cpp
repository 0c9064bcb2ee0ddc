#include "buffers.h"

#include <cstdlib>
#include <new>

namespace vssl::video {

namespace {
constexpr size_t kAlignment = 64;
constexpr size_t kMaxFree = 6;  // a few batches ahead, two views each
}  // namespace

BufferPool::~BufferPool() {
  for (const Free& f : free_) std::free(f.data);
}

std::shared_ptr<float> BufferPool::take(int64_t count) {
  float* data = nullptr;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    for (size_t i = 0; i < free_.size(); ++i) {
      if (free_[i].count != count) continue;
      data = free_[i].data;
      free_.erase(free_.begin() + static_cast<std::ptrdiff_t>(i));
      break;
    }
  }
  if (!data) {
    const size_t bytes =
        (static_cast<size_t>(count) * sizeof(float) + kAlignment - 1) / kAlignment * kAlignment;
    data = static_cast<float*>(std::aligned_alloc(kAlignment, bytes));
    if (!data) throw std::bad_alloc();
  }
  return std::shared_ptr<float>(data, [pool = weak_from_this(), count](float* p) {
    if (const auto alive = pool.lock()) {
      alive->give_back(p, count);
    } else {
      std::free(p);
    }
  });
}

void BufferPool::give_back(float* data, int64_t count) {
  float* dropped = nullptr;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    free_.push_back({data, count});
    if (free_.size() > kMaxFree) {  // sizes that are no longer asked for go first
      dropped = free_.front().data;
      free_.erase(free_.begin());
    }
  }
  std::free(dropped);
}

}  // namespace vssl::video
