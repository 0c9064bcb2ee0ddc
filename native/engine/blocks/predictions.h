// Heads that predict what the planner knows of two clips of a video: their distance, overlap, speed, turn.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "../method.h"
#include "heads.h"

namespace vssl::engine {

// One of the list that a method's option `predictions` is.
struct Prediction {
  std::string name;  // also of the view of its targets, and of its loss
  bool pair;         // reads both clips' features side by side; else each clip's by itself
  int64_t classes;   // 0: a number
  double weight;
};

// With f_a, f_b the features of a sample's clips, Linear layers V, W and y the target:
//
//   pair:  x = [f_a; f_b], one target       each:  x = f_a and x = f_b, a target for either
//   o = V relu(W x + b) + a
//   l = cross-entropy(o, y)   or   smooth L1(o, y) = d^2 / 2 for |d| = |o - y| < 1, else |d| - 1/2
//   L = sum over heads of  weight * (1 / N) sum over samples that have a target, and their clips, of l
//
// N counts all samples, so parts of a batch add up to the whole of it. Options: predictions
// [{ name, input, classes, weight }], predictionHidden (width of the hidden layer; 0: that of x).
class Predictions {
 public:
  // `dim`: width of the features.
  Predictions(const MethodPlan& plan, int64_t dim);

  // A network for each head, predict_NAME; a view of targets for each, which samples may lack.
  void add_networks(std::vector<Network>& all);
  void add_views(Inputs& all) const;

  // L of a chunk's features (n, dim) of either clip, its share of the batch's. Reports each head's loss
  // before its weight under its name, and how many classes are named first as NAMEAccuracy; for samples
  // without a target both are 0.
  Tensor loss(StepContext& context, const Chunk& chunk, const Tensor& first, const Tensor& second) const;

 private:
  Tensor learn(StepContext& context, const Chunk& chunk, size_t i, const Tensor& first,
               const Tensor& second) const;

  std::vector<Prediction> list_;
  std::deque<ProjectionHead> heads_;
};

}  // namespace vssl::engine
