// CVRL's R3D-50 (Qian et al., "Spatiotemporal Contrastive Video Representation Learning", CVPR 2021;
// tensorflow/models, resnet_3d.py): bottleneck blocks whose first convolution is temporal (3x1x1) in the last
// two stages, spatial stride on the 1x3x3, temporal stride in the stem only. 31.67 M parameters. TensorFlow's
// SAME padding of even sizes puts the odd pixel after the picture; here padding is symmetric, as in PyTorch.
#include "families.h"
#include "residual.h"

namespace vssl::engine {

namespace {

constexpr int64_t kExpansion = 4;

class Bottleneck {
 public:
  Bottleneck(const Scope& scope, int64_t in, int64_t middle, int64_t time_kernel, int64_t stride)
      : conv1_(scope / "conv1" / 0, scope / "conv1" / 1, in, middle, {time_kernel, 1, 1}, {1, 1, 1},
               {time_kernel / 2, 0, 0}),
        conv2_(scope / "conv2" / 0, scope / "conv2" / 1, middle, middle, {1, 3, 3}, {1, stride, stride},
               {0, 1, 1}),
        conv3_(scope / "conv3" / 0, scope / "conv3" / 1, middle, middle * kExpansion, {1, 1, 1}, {1, 1, 1},
               {0, 0, 0}) {
    if (stride == 1 && in == middle * kExpansion) return;
    down_.emplace(scope / "downsample" / 0, scope / "downsample" / 1, in, middle * kExpansion,
                  Triple{1, 1, 1}, Triple{1, stride, stride}, Triple{0, 0, 0});
  }

  Tensor forward(const Tensor& x, const Pass& pass) const {
    const Tensor y = conv2_.forward(conv1_.forward(x, pass), pass);
    return conv3_.forward(y, pass, true, down_ ? down_->forward(x, pass, false) : x);
  }

 private:
  ConvNorm conv1_, conv2_, conv3_;
  std::optional<ConvNorm> down_;
};

class ResNet50 : public Residual<Bottleneck> {
 public:
  ResNet50(const ModelPlan& plan, const Placement& placement)
      : Residual(placement),
        stem_(Scope(weights_, plan.seed) / "stem" / 0, Scope(weights_, plan.seed) / "stem" / 1, 3,
              scaled(64, plan.width), {5, 7, 7}, {2, 2, 2}, {2, 3, 3}) {
    constexpr std::array<int64_t, 4> kBlocks{3, 4, 6, 3}, kTime{1, 1, 3, 3};
    const Scope root(weights_, plan.seed);
    int64_t channels = scaled(64, plan.width);
    for (int64_t stage = 0; stage < 4; ++stage) {
      const int64_t middle = scaled(int64_t{64} << stage, plan.width);
      for (int64_t i = 0; i < kBlocks[stage]; ++i) {
        layers_[stage].emplace_back(root / ("layer" + std::to_string(stage + 1)) / i, channels, middle,
                                    kTime[stage], i == 0 && stage > 0 ? 2 : 1);
        channels = middle * kExpansion;
      }
    }
    dim_ = channels;
  }

 protected:
  Tensor stem(const Tensor& clips, const Pass& pass) const override {
    return at::max_pool3d(stem_.forward(clips, pass), {1, 3, 3}, {1, 2, 2}, {0, 1, 1});
  }

 private:
  ConvNorm stem_;
};

}  // namespace

std::unique_ptr<VideoNet> create_resnet50(const ModelPlan& plan, const Placement& placement) {
  return std::make_unique<ResNet50>(plan, placement);
}

}  // namespace vssl::engine
