#include "frame_scorer.h"

#include <cmath>

#include "../layers/gradient_scale.h"

namespace vssl::engine {

namespace {

constexpr int64_t kChannels[] = {16, 32, 64};
constexpr int64_t kHidden = 64;

}  // namespace

FrameScorer::FrameScorer(uint64_t seed, const Placement& placement) : weights_(placement) {
  const Scope root(weights_, seed);
  int64_t width = 3;
  for (int64_t i = 0; i < 3; ++i) {
    convs_.emplace_back(root / "conv" / i, width, kChannels[i], Triple{1, 3, 3}, Triple{1, 2, 2},
                        Triple{0, 1, 1});
    norms_.emplace_back(root / "norm" / i, kChannels[i]);
    width = kChannels[i];
  }
  // Gate order i, f, g, o; the forget gate begins open, so that early frames reach the end.
  const double deviation = 1 / std::sqrt(static_cast<double>(kHidden));
  for (const char* direction : {"forward", "backward"}) {
    const Scope lstm = root / "lstm" / direction;
    recurrent_.push_back(lstm.normal("weight_ih", {4 * kHidden, width}, deviation));
    recurrent_.push_back(lstm.normal("weight_hh", {4 * kHidden, kHidden}, deviation));
    recurrent_.push_back(lstm.constant("bias_ih", {4 * kHidden}, 0));
    recurrent_.push_back(lstm.constant("bias_hh", {4 * kHidden}, 0));
    const at::NoGradGuard no_grad;
    recurrent_[recurrent_.size() - 2].slice(0, kHidden, 2 * kHidden).fill_(1);
  }
  output_.emplace_back(root / "output", 2 * kHidden, 1, 1.0);
}

Tensor FrameScorer::forward(const Tensor& clips, const Pass& pass) const {
  Tensor x = clips;
  for (size_t i = 0; i < convs_.size(); ++i) x = norms_[i].forward(convs_[i].forward(x, pass), pass, true);
  // (N, C, T, H, W) -> (T, N, C): a mean over the area of each frame; few numbers from here on, in fp32
  const Tensor frames = leaving(x.mean({3, 4}, false, at::kFloat), pass).permute({2, 0, 1}).contiguous();
  const Tensor zeros = at::zeros({2, frames.size(1), kHidden}, frames.options());
  const Tensor states = std::get<0>(at::lstm(frames, {zeros, zeros}, recurrent_, /*has_biases=*/true,
                                             /*num_layers=*/1, /*dropout=*/0.0, /*train=*/pass.train,
                                             /*bidirectional=*/true, /*batch_first=*/false));
  Pass full = pass;
  full.compute = at::kFloat;
  return output_[0].forward(states, full).squeeze(2).transpose(0, 1).softmax(1);
}

}  // namespace vssl::engine
