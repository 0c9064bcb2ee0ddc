#include "before_step.h"

namespace vssl::engine {

BeforeStep::BeforeStep(const std::vector<Network>& networks) : networks_(networks) {
  for (const auto& network : networks_)
    for (const auto& entry : network.weights->entries())
      if (!entry.trainable) kept_[entry.tensor.scalar_type()].buffers.push_back(entry.tensor);
  for (auto& [type, kept] : kept_) {
    std::vector<Tensor> flat;
    for (const Tensor& buffer : kept.buffers) flat.push_back(buffer.reshape({-1}));
    kept.copy = at::cat(flat);
  }
}

BeforeStep::~BeforeStep() {
  for (const auto& network : networks_)
    for (const auto& entry : network.weights->entries())
      if (entry.trainable) entry.tensor.mutable_grad().reset();
}

void BeforeStep::restore() const {
  const at::NoGradGuard no_grad;
  for (const auto& [type, kept] : kept_) {
    int64_t first = 0;
    for (const Tensor& buffer : kept.buffers) {
      buffer.copy_(kept.copy.slice(0, first, first + buffer.numel()).view(buffer.sizes()));
      first += buffer.numel();
    }
  }
}

}  // namespace vssl::engine
