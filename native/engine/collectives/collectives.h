// What ranks that train one model exchange: processes (process_ranks.h), or threads of one (thread_ranks.h).
// Methods are written against this; a single process is the case of size 1.
#pragma once

#include <memory>

#include "../tensor.h"

namespace vssl::engine {

// What a rank has spent on its exchanges so far: the time, waiting for the others included, and the bytes it
// sent.
struct Exchanged {
  double seconds = 0, bytes = 0;
};

class Collectives {
 public:
  virtual ~Collectives() = default;
  virtual int64_t rank() const = 0;
  virtual int64_t size() const = 0;
  // Of ranks that share their memory one alone, elsewhere every rank: who writes what they share.
  virtual bool leads() const { return true; }
  // (n, ...) of every rank -> (size * n, ...), in rank order; n must be the same everywhere. No gradient
  // flows.
  virtual Tensor all_gather(const Tensor& rows) = 0;
  // Sum over ranks, in place, the same bits on every rank.
  virtual void all_reduce(Tensor& values) = 0;
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
