// R3D, MC3 and R(2+1)D with basic blocks (Tran et al., "A Closer Look at Spatiotemporal Convolutions", CVPR
// 2018), in torchvision's layout: the same tensor names, shapes and initial distributions, without the
// classifier. `width` multiplies all channel numbers; R(2+1)D's inner channels follow torchvision's formula
// from the widened numbers.
#include <algorithm>

#include "../errors.h"
#include "families.h"
#include "residual.h"

namespace vssl::engine {

namespace {

// One convolution of a block with its BatchNorm; in R(2+1)D two, of pictures and of time.
class BlockConv {
 public:
  // Strides in pictures, and in time where the kind has a kernel in time.
  BlockConv(const Scope& scope, ConvKind kind, int64_t in, int64_t out, int64_t middle, int64_t stride,
            int64_t time) {
    const Scope conv = scope / 0, norm = scope / 1;
    switch (kind) {
      case ConvKind::kSimple:
        convs_.emplace_back(conv, norm, in, out, Triple{3, 3, 3}, Triple{time, stride, stride},
                            Triple{1, 1, 1});
        break;
      case ConvKind::kNoTemporal:
        convs_.emplace_back(conv, norm, in, out, Triple{1, 3, 3}, Triple{1, stride, stride}, Triple{0, 1, 1});
        break;
      case ConvKind::k2Plus1D:
        convs_.emplace_back(conv / 0, conv / 1, in, middle, Triple{1, 3, 3}, Triple{1, stride, stride},
                            Triple{0, 1, 1});
        convs_.emplace_back(conv / 3, norm, middle, out, Triple{3, 1, 1}, Triple{time, 1, 1},
                            Triple{1, 0, 0});
        break;
    }
  }
  Tensor forward(const Tensor& x, const Pass& pass, const Tensor& residual = {}) const {
    if (convs_.size() == 1) return convs_[0].forward(x, pass, true, residual);
    return convs_[1].forward(convs_[0].forward(x, pass), pass, true, residual);
  }

 private:
  std::vector<ConvNorm> convs_;
};

class BasicBlock {
 public:
  BasicBlock(const Scope& scope, ConvKind kind, int64_t in, int64_t out, int64_t stride, int64_t time)
      : BasicBlock(scope, kind, in, out, (in * out * 27) / (in * 9 + 3 * out), stride,
                   kind == ConvKind::kNoTemporal ? 1 : time) {}

  Tensor forward(const Tensor& x, const Pass& pass) const {
    const Tensor y = conv1_.forward(x, pass);
    return conv2_.forward(y, pass, down_ ? down_->forward(x, pass, false) : x);
  }

 private:
  BasicBlock(const Scope& scope, ConvKind kind, int64_t in, int64_t out, int64_t middle, int64_t stride,
             int64_t time)
      : conv1_(scope / "conv1", kind, in, out, middle, stride, time),
        conv2_(scope / "conv2", kind, out, out, middle, 1, 1) {
    if (stride == 1 && time == 1 && in == out) return;
    down_.emplace(scope / "downsample" / 0, scope / "downsample" / 1, in, out, Triple{1, 1, 1},
                  Triple{time, stride, stride}, Triple{0, 0, 0});
  }

  BlockConv conv1_, conv2_;
  std::optional<ConvNorm> down_;
};

class ResNet : public Residual<BasicBlock> {
 public:
  ResNet(const ModelPlan& plan, const Placement& placement) : Residual(placement) {
    const Scope root(weights_, plan.seed);
    const ConvKind kind = plan.layout.kind;
    const TimeStrides times = time_strides_of(plan.spec);
    int64_t channels = scaled(64, plan.width);
    const Scope stem = root / "stem";
    if (kind == ConvKind::k2Plus1D) {
      const int64_t middle = scaled(45, plan.width);
      add_stem(stem, 0, 3, middle, {1, 7, 7}, {1, 2, 2}, {0, 3, 3});
      add_stem(stem, 3, middle, channels, {3, 1, 1}, {1, 1, 1}, {1, 0, 0});
    } else {
      add_stem(stem, 0, 3, channels, {3, 7, 7}, {1, 2, 2}, {1, 3, 3});
    }
    for (int64_t stage = 0; stage < 4; ++stage) {
      const int64_t out = scaled(int64_t{64} << stage, plan.width);
      const bool first_of_mc3 = kind == ConvKind::kNoTemporal && stage == 0;
      for (int64_t i = 0; i < plan.layout.blocks[stage]; ++i) {
        layers_[stage].emplace_back(root / ("layer" + std::to_string(stage + 1)) / i,
                                    first_of_mc3 ? ConvKind::kSimple : kind, channels, out,
                                    i == 0 && stage > 0 ? 2 : 1, i == 0 ? times[stage] : 1);
        channels = out;
      }
    }
    dim_ = channels;
  }

 protected:
  Tensor stem(const Tensor& clips, const Pass& pass) const override {
    Tensor x = clips;
    for (const ConvNorm& conv : stem_) x = conv.forward(x, pass);
    return x;
  }

 private:
  void add_stem(const Scope& scope, int64_t index, int64_t in, int64_t out, Triple kernel, Triple stride,
                Triple padding) {
    stem_.emplace_back(scope / index, scope / (index + 1), in, out, kernel, stride, padding);
  }

  std::vector<ConvNorm> stem_;
};

}  // namespace

TimeStrides time_strides_of(const Value& spec) {
  TimeStrides strides{1, 2, 2, 2};
  const Value& given = spec["timeStrides"];
  if (given.is_null()) return strides;
  const auto& list = given.as_array("model.timeStrides");
  for (size_t i = 0; i < list.size() && i < strides.size(); ++i)
    strides[i] = list[i].as_int("model.timeStrides");
  const bool known = std::all_of(strides.begin(), strides.end(), [](int64_t s) { return s == 1 || s == 2; });
  if (list.size() != strides.size() || !known)
    throw_invalid("expected four strides of 1 or 2 for model.timeStrides, one for each layer");
  return strides;
}

std::unique_ptr<VideoNet> create_resnet(const ModelPlan& plan, const Placement& placement) {
  return std::make_unique<ResNet>(plan, placement);
}

}  // namespace vssl::engine
