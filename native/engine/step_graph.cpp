#include "step_graph.h"

#include "runtime.h"

namespace vssl::engine {

namespace {

constexpr int64_t kWithout = 3;  // steps before the recording

}  // namespace

bool StepGraph::same_shapes(const std::vector<Rows>& views) const {
  if (views.size() != views_.size()) return false;
  for (size_t i = 0; i < views.size(); ++i)
    if (views[i].name != views_[i].name || views[i].data.sizes() != views_[i].data.sizes()) return false;
  return true;
}

void StepGraph::begin(const std::vector<Rows>& views, const Placement& placement, at::ScalarType compute) {
  graph_.reset();  // before what it works on
  outputs_.clear();
  context_.reset();
  views_.clear();
  seen_ = 0;
  for (const Rows& view : views) {
    const auto format =
        placement.channels_last ? at::MemoryFormat::ChannelsLast3d : at::MemoryFormat::Contiguous;
    views_.push_back(
        {view.name,
         at::empty(view.data.sizes(), at::TensorOptions().dtype(compute).device(placement.device), format),
         {}});
  }
}

const StepContext* StepGraph::run(const std::vector<Rows>& views, const Placement& placement,
                                  at::ScalarType compute, const Step& step) {
  if (!same_shapes(views)) begin(views, placement, compute);
  if (seen_++ < kWithout) return nullptr;
  for (size_t i = 0; i < views.size(); ++i) views_[i].data.copy_(clips_of(views[i], placement, compute));
  if (graph_) {
    graph_->replay();
  } else {
    auto graph = kernels_.graph(placement.device);
    outputs_ = graph->record([this, step] {
      context_ = step(views_);
      std::vector<Tensor> outputs{context_->reported(), gradient_squares(parameters_)};
      for (const auto& p : parameters_) outputs.push_back(p.tensor.grad());
      return outputs;
    });
    graph_ = std::move(graph);
  }
  for (size_t i = 0; i < parameters_.size(); ++i)
    Tensor(parameters_[i].tensor).mutable_grad() = outputs_[2 + i];
  return context_.get();
}

}  // namespace vssl::engine
