// Ranks that are threads of this process, each with a part of the batch, or of this process's part of it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "collectives.h"

namespace vssl::engine {

class ThreadRanks {
 public:
  // `others`: the processes with whom the batch is shared as well; null: nobody. When all threads are there,
  // the last of them exchanges with these what the threads have come to, once for all, while they wait.
  explicit ThreadRanks(int64_t size, Sharers* others = nullptr);
  ~ThreadRanks();
  ThreadRanks(const ThreadRanks&) = delete;
  ThreadRanks& operator=(const ThreadRanks&) = delete;

  // What the thread that is this rank exchanges by. All ranks make the same calls in the same order; each
  // waits until all are there, with its core given away after a moment.
  Sharers& rank(int64_t rank);
  // Whoever cannot come any more says so, and so does whoever's call has thrown: the calls of the others, now
  // and later, throw ERR_VSSL_INTERNAL.
  void fail();

 private:
  class Rank;
  using Tensors = std::vector<Tensor>;
  // Waits for all ranks, each of which leaves a tensor. The last to come calls conclude(those of all, in the
  // order of ranks), and what that gives everyone gets.
  Tensor meet(int64_t rank, const Tensor& mine, const std::function<Tensor(const Tensors&)>& conclude);
  bool is_last();
  void release();
  void wait_for(int64_t meeting);
  void throw_if_failed() const;

  Sharers* const others_;
  std::vector<std::unique_ptr<Rank>> ranks_;
  std::mutex mutex_;
  std::condition_variable all_here_;
  std::atomic<int64_t> meetings_{0};  // that are over
  int64_t here_ = 0;                  // at the one to come
  Tensors left_;                      // there
  Tensor result_;                     // of the last one
  std::atomic<bool> failed_{false};
};

}  // namespace vssl::engine
