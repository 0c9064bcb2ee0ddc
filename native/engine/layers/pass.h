// How a network is passed.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "../collectives/collectives.h"
#include "../tensor.h"

namespace vssl::engine {

using Triple = std::array<int64_t, 3>;  // (T, H, W)

// What one convolution of a pass did.
struct ConvCall {
  std::array<int64_t, 5> input;  // (N, in, T, H, W)
  int64_t out;
  Triple kernel, stride, padding;
  bool bias;
};

// How a forward pass is run.
struct Pass {
  bool train = false;         // BatchNorm normalises with the statistics of the batch
  bool update_stats = false;  // ... and moves its running statistics
  // When set, running statistics move by this factor instead of each layer's own (1 / (k + 1) in pass k gives
  // the average over all passes).
  std::optional<double> stats_momentum;
  // Of activations and of the weights that meet them: kFloat, kBFloat16 or kHalf.
  at::ScalarType compute = at::kFloat;
  // What gradients are multiplied by as long as they are kHalf, whose smallest numbers they would fall below.
  double gradient_scale = 1;
  // Stages of a network keep their inputs alone and are computed again in the backward (checkpointed.h).
  bool checkpoint = false;
  Sharers* ranks = nullptr;  // with whom a batch is shared: BatchNorm's statistics are of all of it
  std::vector<ConvCall>* record =
      nullptr;  // receives every convolution, for tests that walk over all of them
};

}  // namespace vssl::engine
