#include "thread_ranks.h"

#include <thread>

#include "../../common/error.h"

namespace vssl::engine {

namespace {

// About what a quiet core takes to come: a step has some hundred meetings, so a sleep and a wake for each
// would show.
constexpr int kLooks = 2000;

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

class ThreadRanks::Rank final : public Collectives {
 public:
  Rank(ThreadRanks& all, int64_t rank) : all_(all), rank_(rank) {}
  int64_t rank() const override { return rank_; }
  int64_t size() const override { return static_cast<int64_t>(all_.ranks_.size()); }
  bool leads() const override { return rank_ == 0; }
  Tensor all_gather(const Tensor& rows) override { return at::cat(all_.meet(rank_, rows.detach())); }
  void all_reduce(Tensor& values) override {
    const std::vector<Tensor>& parts = all_.meet(rank_, values.detach().clone());
    values.copy_(parts[0]);
    for (size_t i = 1; i < parts.size(); ++i) values.add_(parts[i]);
  }

 private:
  ThreadRanks& all_;
  const int64_t rank_;
};

ThreadRanks::ThreadRanks(int64_t size) {
  for (int64_t i = 0; i < size; ++i) ranks_.push_back(std::make_unique<Rank>(*this, i));
  for (auto& left : left_) left.resize(static_cast<size_t>(size));
}

ThreadRanks::~ThreadRanks() = default;

Collectives& ThreadRanks::rank(int64_t rank) { return *ranks_[static_cast<size_t>(rank)]; }

void ThreadRanks::fail() {
  failed_ = true;
  const std::lock_guard<std::mutex> lock(mutex_);
  all_here_.notify_all();
}

const std::vector<Tensor>& ThreadRanks::meet(int64_t rank, const Tensor& mine) {
  const int64_t meeting = meetings_.load(std::memory_order_acquire);
  std::vector<Tensor>& left = left_[meeting % 2];
  left[static_cast<size_t>(rank)] = mine;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (++here_ == static_cast<int64_t>(ranks_.size())) {
      here_ = 0;
      meetings_.store(meeting + 1, std::memory_order_release);
      all_here_.notify_all();
    }
  }
  const auto over = [&] {
    return meetings_.load(std::memory_order_acquire) > meeting || failed_.load(std::memory_order_relaxed);
  };
  for (int look = 0; look < kLooks && !over(); ++look) pause();
  if (!over()) {
    std::unique_lock<std::mutex> lock(mutex_);
    all_here_.wait(lock, over);
  }
  if (failed_) throw Error("ERR_VSSL_INTERNAL", "another part of the batch failed");
  return left;
}

}  // namespace vssl::engine
