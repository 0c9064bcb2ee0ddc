// MoCo v2 (He et al., "Momentum Contrast for Unsupervised Visual Representation Learning", CVPR 2020; Chen et
// al., arXiv 2003.04297). With q the query of a clip, k+ the momentum copy's key of the video's other clip
// and k_1..k_K the queue, all L2-normalised:
//
//   L = -log( exp(q k+ / tau) / (exp(q k+ / tau) + sum_j exp(q k_j / tau)) ), mean over the batch
//
// then theta_k <- m theta_k + (1 - m) theta_q, and the keys enter the queue. The copy moves after the
// optimiser's step, with the weights of which the next step's queries are made; the authors' code does it
// between the next step's queries and keys, which is the same.
//
// Permuting a batch on one device changes no BatchNorm statistics, so shuffling is done as the authors' small
// demonstration does: BatchNorm sees the batch in groups, and the keys' groups are drawn anew in each step.
//
// Each step: momentum, and shuffle, the seed of its permutation of keys.
#include "../blocks/momentum_contrast.h"

namespace vssl::engine {

VSSL_METHOD(moco) { return std::make_unique<MomentumContrast>(plan); }

}  // namespace vssl::engine
