#include "video_net.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "../errors.h"
#include "../layers/gradient_scale.h"
#include "../parts.h"
#include "checkpointed.h"

namespace vssl::engine {

void VideoNet::check(const Tensor& clips) const {
  if (clips.dim() != 5 || clips.size(1) != 3 || clips.numel() == 0)
    throw_invalid("expected clips of shape (N, 3, T, H, W), got " + shape_text(clips.sizes()));
  const auto& [frames, size] = least_clip_;
  if (clips.size(2) < frames || clips.size(3) < size || clips.size(4) < size)
    throw_invalid(spec_["arch"].as_string("arch") + " needs clips of at least " +
                  shape_text({frames, size, size}) + ", got " + shape_text(clips.sizes().slice(2)));
}

Tensor VideoNet::features(const Tensor& clips, const Pass& pass) const {
  check(clips);
  const bool again = pass.checkpoint && pass.train && !pass.record && at::GradMode::is_enabled();
  Tensor x = clips;
  for (int64_t i = 0; i < stages(); ++i)
    x = again ? checkpointed(*this, i, x, pass) : stage(i, std::move(x), pass);
  return x;
}

Tensor VideoNet::pool(const Tensor& features, const Pass& pass) {
  return leaving(features.mean({2, 3, 4}, false, at::kFloat), pass);
}

Tensor VideoNet::embed(const Tensor& clips, const Pass& pass) const {
  check(clips);
  return in_parts(clips, pass, weights_,
                  [this](const Tensor& part, const Pass& own) { return pool(features(part, own), own); });
}

Tensor VideoNet::embed_grid(const Tensor& clips, const Pass& pass, const Triple& grid) const {
  check(clips);
  return in_parts(clips, pass, weights_, [&](const Tensor& part, const Pass& own) {
    const Tensor map = features(part, own);
    for (int64_t d = 0; d < 3; ++d)
      if (grid[d] < 1 || grid[d] > map.size(2 + d))
        throw_invalid("expected a grid of at least 1 x 1 x 1 and at most the feature map's " +
                      shape_text(map.sizes().slice(2)) + " cells, got " + shape_text(grid));
    return leaving(at::adaptive_avg_pool3d(map.to(at::kFloat), grid).flatten(1), own);
  });
}

Tensor VideoNet::steps(const Tensor& clips, const Pass& pass) const {
  check(clips);
  return in_parts(clips, pass, weights_, [this](const Tensor& part, const Pass& own) {
    return leaving(features(part, own).mean({3, 4}, false, at::kFloat).transpose(1, 2), own).contiguous();
  });
}

Tensor VideoNet::tokens(const Tensor& clips, const Pass& pass) const {
  check(clips);
  return in_parts(clips, pass, weights_, [this](const Tensor& part, const Pass& own) {
    return leaving(features(part, own).flatten(2).transpose(1, 2), own).contiguous();
  });
}

int64_t scaled(int64_t channels, double width) {
  return std::max<int64_t>(1, std::llround(static_cast<double>(channels) * width));
}

}  // namespace vssl::engine
