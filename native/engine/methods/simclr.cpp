// SimCLR (Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations", ICML 2020) on
// clips: NT-Xent between two augmented views of one clip. The head is that of the authors' code: Linear
// layers without bias, each followed by BatchNorm, the last one without shift and ReLU; 3 layers in version 2
// (headLayers 2 hidden ones), 2 in the paper (headLayers 1).
//
// The paper's loss is the mean over the 2N rows: lossScale 1 (the authors' code adds two means, which is
// lossScale 2).
#include "../blocks/contrastive.h"

namespace vssl::engine {

VSSL_METHOD(simclr) {
  HeadOptions head;
  head.linear_bias = false;
  head.output_norm = true;
  return std::make_unique<Contrastive>(plan, head, plan.options.flag("ownNegatives"));
}

}  // namespace vssl::engine
