// Rows of matrices.
#pragma once

#include "../tensor.h"

namespace vssl::engine {

// L2-normalised over the last dimension, as F.normalize does it: x / max(|x|, 1e-12).
inline Tensor unit_rows(const Tensor& x) { return x / x.norm(2, {-1}, true).clamp_min(1e-12); }

}  // namespace vssl::engine
