// Gradients of several ranks, added up.
#pragma once

#include <vector>

#include "collectives.h"

namespace vssl::engine {

// Every parameter's gradient becomes the sum over ranks, with the same bits on each. A parameter that has a
// gradient on some ranks only counts as zeros on the others; one that has none anywhere stays without. All
// ranks name the same parameters in the same order. Afterwards gradients lie in the layout of their
// parameters, side by side in buckets.
void sum_gradients(const std::vector<Tensor>& parameters, Collectives& ranks);

}  // namespace vssl::engine
