// A first-in first-out ring of keys, each with columns of its own: a second key, the number of its video, a
// label.
#pragma once

#include <string>
#include <vector>

#include "../method.h"

namespace vssl::engine {

struct RingColumn {
  std::string name;
  int64_t width = 1;
  at::ScalarType type = at::kLong;
};

class KeyRing : public Stored {
 public:
  // Empty at first. Names must differ from one another, and from "keys" and "count".
  KeyRing(int64_t capacity, int64_t dim, std::vector<RingColumn> columns, at::Device device);

  // keys (n, dim), the newest last, L2-normalised on the way; values: for each column (n, width). Of more
  // rows than the ring holds the last ones stay.
  void push(const Tensor& keys, const std::vector<Tensor>& values);

  // Keys that are there, and the slot of the next one.
  int64_t length() const;
  int64_t next() const;
  // By slot, (length, dim) and (length, width): views of the ring's own memory.
  Tensor keys() const { return keys_.slice(0, 0, length()); }
  Tensor column(const std::string& name) const;

  NamedHandles state() const override;
  void restore(const NamedHandles&) override {}  // state() gave the tensors themselves
  int64_t bytes() const override;

 private:
  std::vector<RingColumn> columns_;
  Tensor keys_, count_;  // count: keys pushed so far
  std::vector<Tensor> values_;
};

}  // namespace vssl::engine
