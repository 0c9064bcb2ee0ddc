// C3D (Tran et al., "Learning Spatiotemporal Features with 3D Convolutional Networks", ICCV 2015): eight
// 3x3x3 convolutions, pooled after 1, 2, 4 and 6 of them. The global mean after the eighth takes the place of
// the original's fifth pooling and fully connected layers (4096-d), as in later self-supervised work. With
// `batchNorm` (the default, also from that work) each convolution is followed by BatchNorm and has no bias;
// without, it has a bias as in 2015.
#include "families.h"

namespace vssl::engine {

namespace {

struct Layer {
  const char* name;
  int64_t channels;
  bool pool_before;
};
constexpr Layer kLayers[] = {{"1", 64, false},  {"2", 128, true},   {"3a", 256, true}, {"3b", 256, false},
                             {"4a", 512, true}, {"4b", 512, false}, {"5a", 512, true}, {"5b", 512, false}};

class C3d : public VideoNet {
 public:
  C3d(const ModelPlan& plan, const Placement& placement) : VideoNet(placement) {
    const bool norm = plan.spec.get_bool("batchNorm", true);
    const Scope root(weights_, plan.seed);
    int64_t channels = 3;
    for (const Layer& layer : kLayers) {
      const int64_t out = scaled(layer.channels, plan.width);
      const std::string name = layer.name;
      convs_.emplace_back(root / ("conv" + name), norm ? std::optional(root / ("bn" + name)) : std::nullopt,
                          channels, out, Triple{3, 3, 3}, Triple{1, 1, 1}, Triple{1, 1, 1});
      channels = out;
    }
    dim_ = channels;
  }

  // What lies between two poolings.
  int64_t stages() const override { return 5; }

  int64_t stage_of(const std::string& name) const override {
    return name[name.find_first_of("12345")] - '1';  // conv3a.weight, bn3a.bias
  }

  Tensor stage(int64_t index, Tensor x, const Pass& pass) const override {
    int64_t stage = 0;
    for (size_t i = 0; i < convs_.size(); ++i) {
      if (kLayers[i].pool_before) ++stage;
      if (stage != index) continue;
      const int64_t time = i == 1 ? 1 : 2;
      if (kLayers[i].pool_before) x = at::max_pool3d(x, {time, 2, 2}, {time, 2, 2});
      x = convs_[i].forward(x, pass);
    }
    return x;
  }

 private:
  std::vector<ConvNorm> convs_;
};

}  // namespace

std::unique_ptr<VideoNet> create_c3d(const ModelPlan& plan, const Placement& placement) {
  return std::make_unique<C3d>(plan, placement);
}

}  // namespace vssl::engine
