// What ranks that train one model exchange: processes (process_ranks.h), or threads of one (thread_ranks.h).
// Methods are written against this; a single process is the case of size 1.
#pragma once

#include <functional>
#include <memory>

#include "../tensor.h"

namespace vssl::engine {

// What a rank has spent on its exchanges so far: the time, waiting for the others included, and the bytes it
// sent.
struct Exchanged {
  double seconds = 0, bytes = 0;
};

// Those who share a batch, as far as a network needs them: BatchNorm sums over all of it. They may be threads
// of processes, and not as many of each.
class Sharers {
 public:
  // (n, ...) -> (1, ...): n rows as one. Rows of rows that were merged before must do as well.
  using Merge = std::function<Tensor(const Tensor&)>;

  virtual ~Sharers() = default;
  // Of those that share their memory one alone, elsewhere every one: who writes what they share.
  virtual bool leads() const { return true; }
  // Sum over all, in place, the same bits for each.
  virtual void all_reduce(Tensor& values) = 0;
  // A row (1, ...) of each -> that of all, in the order of ranks, the same bits for each; nobody writes to
  // it. Threads of one process merge theirs first.
  virtual Tensor all_merge(const Tensor& row, const Merge& merge) = 0;
};

class Collectives : public Sharers {
 public:
  virtual int64_t rank() const = 0;
  virtual int64_t size() const = 0;
  // (n, ...) of every rank -> (size * n, ...), in rank order; n must be the same everywhere. No gradient
  // flows.
  virtual Tensor all_gather(const Tensor& rows) = 0;
  Tensor all_merge(const Tensor& row, const Merge& merge) override { return merge(all_gather(row)); }
  virtual Exchanged exchanged() const { return {}; }
};

// size 1: everything is already here.
class SingleProcess final : public Collectives {
 public:
  int64_t rank() const override { return 0; }
  int64_t size() const override { return 1; }
  Tensor all_gather(const Tensor& rows) override { return rows; }
  void all_reduce(Tensor&) override {}
};

}  // namespace vssl::engine
