// How large fp16's gradients are made (layers/gradient_scale.h).
#pragma once

#include "tensor.h"

namespace vssl::engine {

// The factor of fp16's gradients: as large as they allow. It halves when one overflows, and doubles after so
// many steps in which none did.
struct GradientScaler {
  static constexpr double kFirst = 65536, kPatience = 2000;
  Tensor state = at::tensor({kFirst, 0.0}, at::kDouble);  // scale, steps since it last changed

  double scale() const { return values()[0]; }
  // False when it is not the scale's fault.
  bool shrink() {
    if (scale() <= 1) return false;
    set(scale() / 2, 0);
    return true;
  }
  void went_well() {
    const bool grows = values()[1] + 1 >= kPatience;
    set(grows ? scale() * 2 : scale(), grows ? 0 : values()[1] + 1);
  }

 private:
  const double* values() const { return state.const_data_ptr<double>(); }
  void set(double scale, double since) {
    state.mutable_data_ptr<double>()[0] = scale;
    state.mutable_data_ptr<double>()[1] = since;
  }
};

}  // namespace vssl::engine
