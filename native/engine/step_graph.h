// A step that is the same work each time, recorded once and then run again as one piece: the device is told
// of a thousand kernels in one call.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "device/kernels.h"
#include "optim.h"
#include "step_context.h"

namespace vssl::engine {

class Method;

class StepGraph {
 public:
  // Makes the context of a step over these views, and the step in it: losses reported, gradients in the
  // trained parameters.
  using Step = std::function<std::unique_ptr<StepContext>(const std::vector<Rows>& views)>;

  StepGraph(const DeviceKernels& kernels, const std::vector<OptimParameter>& parameters)
      : kernels_(kernels), parameters_(parameters) {}

  // The step over the clips of these views. null for the first steps, which are to be taken without it
  // (libraries choose their ways then), and for the first ones of another shape. Else losses and squares of
  // gradients are in `reported` and `squares`, and the gradients are where a step leaves them.
  const StepContext* run(const std::vector<Rows>& views, const Placement& placement, at::ScalarType compute,
                         const Step& step);
  const Tensor& reported() const { return outputs_[0]; }
  const Tensor& squares() const { return outputs_[1]; }

 private:
  bool same_shapes(const std::vector<Rows>& views) const;
  void begin(const std::vector<Rows>& views, const Placement& placement, at::ScalarType compute);

  const DeviceKernels& kernels_;
  const std::vector<OptimParameter>& parameters_;
  int64_t seen_ = 0;         // steps of these shapes
  std::vector<Rows> views_;  // placed clips, at the same places for all steps
  std::unique_ptr<StepContext> context_;
  std::vector<Tensor> outputs_;  // losses, squares, then gradients
  std::unique_ptr<DeviceGraph> graph_;
};

}  // namespace vssl::engine
