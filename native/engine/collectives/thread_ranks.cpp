#include "thread_ranks.h"

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

class ThreadRanks::Rank final : public Sharers {
 public:
  Rank(ThreadRanks& all, int64_t rank) : all_(all), rank_(rank) {}
  bool leads() const override { return rank_ == 0; }
  void all_reduce(Tensor& values) override {
    values.copy_(all_.meet(rank_, values.detach(), [&](const Tensors& parts) {
      Tensor sum = parts[0].clone();
      for (size_t i = 1; i < parts.size(); ++i) sum.add_(parts[i]);
      if (all_.others_) all_.others_->all_reduce(sum);
      return sum;
    }));
  }
  Tensor all_merge(const Tensor& row, const Merge& merge) override {
    return all_.meet(rank_, row.detach(), [&](const Tensors& parts) {
      const Tensor own = merge(at::cat(parts));
      return all_.others_ ? all_.others_->all_merge(own, merge) : own;
    });
  }

 private:
  ThreadRanks& all_;
  const int64_t rank_;
};

ThreadRanks::ThreadRanks(int64_t size, Sharers* others) : others_(others), left_(static_cast<size_t>(size)) {
  for (int64_t i = 0; i < size; ++i) ranks_.push_back(std::make_unique<Rank>(*this, i));
}

ThreadRanks::~ThreadRanks() = default;

Sharers& ThreadRanks::rank(int64_t rank) { return *ranks_[static_cast<size_t>(rank)]; }

void ThreadRanks::fail() {
  const std::lock_guard<std::mutex> lock(mutex_);
  failed_ = true;
  all_here_.notify_all();
}

Tensor ThreadRanks::meet(int64_t rank, const Tensor& mine,
                         const std::function<Tensor(const Tensors&)>& conclude) {
  const int64_t meeting = meetings_.load(std::memory_order_acquire);
  left_[static_cast<size_t>(rank)] = mine;
  if (is_last()) {
    result_ = conclude(left_);
    release();
  } else {
    wait_for(meeting);
  }
  return result_;  // nobody writes to it before all have come to the next meeting
}

bool ThreadRanks::is_last() {
  const std::lock_guard<std::mutex> lock(mutex_);
  throw_if_failed();
  return ++here_ == static_cast<int64_t>(ranks_.size());
}

void ThreadRanks::release() {
  const std::lock_guard<std::mutex> lock(mutex_);
  here_ = 0;
  meetings_.fetch_add(1, std::memory_order_release);
  all_here_.notify_all();
}

void ThreadRanks::wait_for(int64_t meeting) {
  const auto over = [&] {
    return meetings_.load(std::memory_order_acquire) > meeting || failed_.load(std::memory_order_relaxed);
  };
  for (int look = 0; look < kLooks && !over(); ++look) pause();
  if (!over()) {
    std::unique_lock<std::mutex> lock(mutex_);
    all_here_.wait(lock, over);
  }
  throw_if_failed();
}

void ThreadRanks::throw_if_failed() const {
  if (failed_) throw Error("ERR_VSSL_INTERNAL", "another part of the batch failed");
}

}  // namespace vssl::engine
