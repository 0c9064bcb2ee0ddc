// Ranks that are threads of this process, each with a part of the batch.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "collectives.h"

namespace vssl::engine {

class ThreadRanks {
 public:
  explicit ThreadRanks(int64_t size);
  ~ThreadRanks();
  ThreadRanks(const ThreadRanks&) = delete;
  ThreadRanks& operator=(const ThreadRanks&) = delete;

  // What the thread that is this rank exchanges by. All ranks make the same calls in the same order; each
  // waits until all are there, with its core given away after a moment.
  Collectives& rank(int64_t rank);
  // Whoever cannot come any more says so: the calls of the others, now and later, throw ERR_VSSL_INTERNAL.
  void fail();

 private:
  class Rank;
  // Waits for all ranks; each leaves a tensor and gets those of all, valid until its call after the next.
  const std::vector<Tensor>& meet(int64_t rank, const Tensor& mine);

  std::vector<std::unique_ptr<Rank>> ranks_;
  std::mutex mutex_;
  std::condition_variable all_here_;
  std::atomic<int64_t> meetings_{0};  // that are over
  int64_t here_ = 0;                  // at the one to come
  std::vector<Tensor> left_[2];       // of even and odd meetings
  std::atomic<bool> failed_{false};
};

}  // namespace vssl::engine
