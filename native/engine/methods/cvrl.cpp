// CVRL (Qian et al., "Spatiotemporal Contrastive Video Representation Learning", CVPR 2021): two clips of one
// video at a drawn distance in time, one encoder, an MLP of 3 x (Linear, BatchNorm, ReLU) and a Linear to
// 128, NT-Xent with temperature 0.1.
//
// The paper's loss is a sum, L = L_a + L_b, each a mean over the N anchors of one view: lossScale 2 times the
// mean over all 2N rows. The head's BatchNorm has the momentum of the authors' code (0.997 kept, 0.003 new).
#include "../blocks/contrastive.h"

namespace vssl::engine {

VSSL_METHOD(cvrl) {
  HeadOptions head;
  head.norm_momentum = 0.003;
  return std::make_unique<Contrastive>(plan, head, plan.options.flag("ownNegatives"));
}

}  // namespace vssl::engine
