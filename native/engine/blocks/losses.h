// Losses as autograd functions over the kernels of native/kernels.
#pragma once

#include "../collectives/collectives.h"

namespace vssl::engine {

// NT-Xent over embeddings (2N, D) in fp32, view 1 stacked on view 2: rows i and i + N are the two views of
// one instance. Rows are L2-normalised inside. Mean over the 2N rows (Chen et al., SimCLR, eq. 1). The
// gradient is made with the loss and kept, (2N, D); memory O(N D).
Tensor nt_xent_loss(const Tensor& embeddings, double temperature);

// The same with the work shared by ranks that all have the same embeddings: each gets the whole loss and
// gradient.
Tensor nt_xent_loss(const Tensor& embeddings, double temperature, Collectives& ranks);

}  // namespace vssl::engine
