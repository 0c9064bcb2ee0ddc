// Aligned buffers for batches, used again when a batch is let go.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace vssl::video {

// 64-byte aligned, contents undefined.
std::shared_ptr<void> aligned_buffer(int64_t bytes);

class BufferPool : public std::enable_shared_from_this<BufferPool> {
 public:
  ~BufferPool();
  // 64-byte aligned, contents undefined. Freed buffers come back here, the pool may be gone by then.
  std::shared_ptr<void> take(int64_t bytes);

 private:
  struct Free {
    void* data;
    int64_t bytes;
  };
  void give_back(void* data, int64_t bytes);

  std::mutex mutex_;
  std::vector<Free> free_;
};

}  // namespace vssl::video
