#include "momentum.h"

#include "../../kernels/kernels.h"
#include "../errors.h"

namespace vssl::engine {

namespace {

bool is_plain(const Tensor& x) {
  return x.is_cpu() && x.scalar_type() == at::kFloat && x.is_non_overlapping_and_dense();
}

}  // namespace

void momentum_update(Weights& target, const Weights& source, double m) {
  const at::NoGradGuard no_grad;
  const auto& to = target.entries();
  const auto& from = source.entries();
  if (to.size() != from.size()) throw_invalid("a momentum copy needs networks of the same architecture");
  std::vector<EmaSpan> spans;            // on the CPU: one pass over all of them
  std::vector<Tensor> targets, sources;  // elsewhere
  for (size_t i = 0; i < to.size(); ++i) {
    const Tensor &t = to[i].tensor, &s = from[i].tensor;
    if (to[i].name != from[i].name || t.sizes() != s.sizes())
      throw_invalid("a momentum copy needs networks of the same architecture");
    if (!from[i].trainable) continue;
    if (is_plain(t) && is_plain(s) && t.strides() == s.strides()) {
      spans.push_back({t.mutable_data_ptr<float>(), s.const_data_ptr<float>(), t.numel()});
    } else {
      targets.push_back(t);
      sources.push_back(s.detach());
    }
  }
  if (!spans.empty()) ema_update(spans.data(), static_cast<int64_t>(spans.size()), m, at::get_num_threads());
  if (!targets.empty()) at::_foreach_lerp_(targets, sources, 1 - m);
  target.changed();
}

}  // namespace vssl::engine
