// Optimisers over the parameters of a method's trainable networks.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../common/value.h"
#include "tensor.h"

namespace vssl::engine {

struct OptimParameter {
  std::string name;  // "encoder/stem.0.weight"
  Tensor tensor;
  bool decays;                 // false for biases and normalisation: no weight decay, no layer-wise rate
  size_t objective = 0;        // that of its network
  double rate = 1, decay = 1;  // its network's factors of the learning rate and of the weight decay
};

class Optimizer {
 public:
  virtual ~Optimizer() = default;
  // One update with rate lr. Gradients are multiplied by their objective's scale first; parameters without a
  // gradient stay, and so does all that is known of them. A step that throws has moved nothing.
  virtual void step(double lr, const std::vector<double>& scales) = 0;
  // The state that a checkpoint must hold, "<parameter>/momentum" and the like; written in place on import.
  virtual std::vector<std::pair<std::string, Tensor>> state() = 0;
};

// settings: { name: 'sgd' | 'lars' | 'adamw', weightDecay, and
//   sgd:   momentum (0.9), nesterov (false). torch.optim.SGD: g += weightDecay p; v = momentum v + g;
//          p -= lr v
//
//   lars:  momentum (0.9), trustCoefficient (0.001), nesterov. You et al. 2017 as in SimCLR's code:
//          g += weightDecay p; v = momentum v + lr trust |p| / |g| g; p -= v; without trust for parameters
//          without decay
//
//   adamw: betas ([0.9, 0.999]), eps (1e-8). Loshchilov & Hutter 2019: decay is not part of the gradient, and
//          the bias correction counts the updates of each parameter }
// Unknown names and keys throw ERR_VSSL_INVALID_ARGUMENT.
std::unique_ptr<Optimizer> create_optimizer(const Value& settings,
                                            const std::vector<OptimParameter>& parameters);

// Sum of squares of all gradients of each objective, (objectives) doubles on the parameters' device; NaN or
// infinite when one of the entries is.
Tensor gradient_squares(const std::vector<OptimParameter>& parameters);

}  // namespace vssl::engine
