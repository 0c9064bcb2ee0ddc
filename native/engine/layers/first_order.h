// Gradients that have no gradient of their own.
#pragma once

#include <ATen/core/grad_mode.h>

#include <string>

#include "../../common/error.h"

namespace vssl::engine {

// To be called first in the backward of every autograd function of this room: they compute gradients without
// a history, which create_graph would silently take for constants.
inline void refuse_second_order(const char* what) {
  if (at::GradMode::is_enabled())
    throw Error("ERR_VSSL_SECOND_ORDER", std::string("the gradient of ") + what +
                                             " has no gradient of its own; ask for it without create_graph");
}

}  // namespace vssl::engine
