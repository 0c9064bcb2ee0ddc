#include "momentum.h"

#include "../errors.h"

namespace vssl::engine {

void momentum_update(Weights& target, const Weights& source, double m) {
  const at::NoGradGuard no_grad;
  const auto& to = target.entries();
  const auto& from = source.entries();
  if (to.size() != from.size()) throw_invalid("a momentum copy needs networks of the same architecture");
  std::vector<Tensor> targets, sources;
  for (size_t i = 0; i < to.size(); ++i) {
    if (to[i].name != from[i].name) throw_invalid("a momentum copy needs networks of the same architecture");
    if (!from[i].trainable) continue;
    targets.push_back(to[i].tensor);
    sources.push_back(from[i].tensor.detach());
  }
  at::_foreach_lerp_(targets, sources, 1 - m);
  target.changed();
}

}  // namespace vssl::engine
