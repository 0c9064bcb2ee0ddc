// The architecture families behind the registry.
#pragma once

#include <array>
#include <memory>

#include "video_net.h"

namespace vssl::engine {

// How a residual block convolves.
enum class ConvKind {
  kSimple,      // 3x3x3
  kNoTemporal,  // 1x3x3
  k2Plus1D,     // 1x3x3, BN, ReLU, 3x1x1
};

// kind: of stages 2 to 4, and of stage 1 too except that kNoTemporal begins there after a kSimple stage
// (MC3).
struct ResNetLayout {
  ConvKind kind = ConvKind::kSimple;
  std::array<int64_t, 4> blocks{};
};

// Strides in time of the four layers of basic blocks; MC3 has none.
using TimeStrides = std::array<int64_t, 4>;
// `timeStrides` of a spec, or those of torchvision: 1, 2, 2, 2.
TimeStrides time_strides_of(const Value& spec);

struct ModelPlan {
  const Value& spec;
  double width;
  uint64_t seed;
  ResNetLayout layout;
};

// torchvision's VideoResNet (Tran et al., CVPR 2018) with basic blocks; tensor names are torchvision's.
std::unique_ptr<VideoNet> create_resnet(const ModelPlan& plan, const Placement& placement);
// CVRL's R3D-50 (Qian et al., CVPR 2021).
std::unique_ptr<VideoNet> create_resnet50(const ModelPlan& plan, const Placement& placement);
// C3D (Tran et al., ICCV 2015) up to its last convolution, pooled globally.
std::unique_ptr<VideoNet> create_c3d(const ModelPlan& plan, const Placement& placement);

}  // namespace vssl::engine
