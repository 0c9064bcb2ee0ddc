// Momentum copies of networks: k <- m k + (1 - m) q (He et al., "Momentum Contrast", CVPR 2020, eq. 2).
#pragma once

#include "../weights.h"

namespace vssl::engine {

// Moves every parameter of `target` towards the parameter of `source` with the same name. Buffers (BatchNorm
// statistics) are the copy's own: it has seen other inputs. m = 0 copies the parameters.
void momentum_update(Weights& target, const Weights& source, double m);

}  // namespace vssl::engine
