// Aligned float buffers for batches, used again when a batch is let go.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace vssl::video {

class BufferPool : public std::enable_shared_from_this<BufferPool> {
 public:
  ~BufferPool();
  // `count` floats, 64-byte aligned, contents undefined. Freed buffers come back here, the pool may be gone
  // by then.
  std::shared_ptr<float> take(int64_t count);

 private:
  struct Free {
    float* data;
    int64_t count;
  };
  void give_back(float* data, int64_t count);

  std::mutex mutex_;
  std::vector<Free> free_;
};

}  // namespace vssl::video
