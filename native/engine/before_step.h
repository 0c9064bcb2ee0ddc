// A session's networks as they were before a step.
#pragma once

#include <map>
#include <vector>

#include "method.h"

namespace vssl::engine {

// A step that fails half-way, by NaN or by an exception, leaves no trace: buffers are copied first, and put
// back by restore(). Gradients go in any case, when this does.
class BeforeStep {
 public:
  explicit BeforeStep(const std::vector<Network>& networks);
  ~BeforeStep();
  BeforeStep(const BeforeStep&) = delete;
  BeforeStep& operator=(const BeforeStep&) = delete;
  void restore() const;

 private:
  // Buffers of one type, and their copy in one piece.
  struct Kept {
    std::vector<Tensor> buffers;
    Tensor copy;
  };
  const std::vector<Network>& networks_;
  std::map<at::ScalarType, Kept> kept_;
};

}  // namespace vssl::engine
