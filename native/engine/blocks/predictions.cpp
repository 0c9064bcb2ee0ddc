#include "predictions.h"

#include "../errors.h"

namespace vssl::engine {

namespace {

Prediction read_prediction(const Value& entry) {
  check_keys(entry, {"name", "input", "classes", "weight"}, "predictions[]");
  Options options(entry, "a prediction");
  Prediction p;
  p.name = options.value("name").as_string("predictions[].name");
  p.pair = options.choice<bool>("input", {{"pair", true}, {"each", false}});
  p.classes = options.count("classes", 0);
  p.weight = options.number("weight", 0);
  if (p.classes == 1) throw_invalid("the prediction " + p.name + " needs 2 classes, or 0 for a number");
  return p;
}

}  // namespace

Predictions::Predictions(const MethodPlan& plan, int64_t dim) {
  const int64_t hidden = plan.options.count("predictionHidden", 0);
  for (const Value& entry : plan.options.value("predictions").as_array("predictions")) {
    const Prediction p = read_prediction(entry);
    HeadOptions head;
    head.in = p.pair ? 2 * dim : dim;
    head.hidden = hidden;
    head.layers = 1;
    head.out = std::max<int64_t>(1, p.classes);
    head.hidden_norm = false;
    // Heads of one shape begin with different weights.
    heads_.emplace_back(head, plan.seed + 1 + list_.size(), plan.placement);
    list_.push_back(p);
  }
}

void Predictions::add_networks(std::vector<Network>& all) {
  for (size_t i = 0; i < list_.size(); ++i) all.push_back({"predict_" + list_[i].name, &heads_[i].weights()});
}

void Predictions::add_views(Inputs& all) const {
  for (const Prediction& p : list_)
    all.views.push_back({p.name, p.classes > 0 ? at::kLong : at::kFloat, {p.pair ? 1 : 2}, true});
}

Tensor Predictions::loss(StepContext& context, const Chunk& chunk, const Tensor& first,
                         const Tensor& second) const {
  Tensor total = at::zeros({}, first.options().requires_grad(false));
  for (size_t i = 0; i < list_.size(); ++i)
    total = total + learn(context, chunk, i, first, second) * list_[i].weight;
  return total;
}

Tensor Predictions::learn(StepContext& context, const Chunk& chunk, size_t i, const Tensor& first,
                          const Tensor& second) const {
  const Prediction& p = list_[i];
  const std::string accuracy = p.name + "Accuracy";
  Tensor loss = at::zeros({}, first.options().requires_grad(false)), hits = loss;
  const bool any = context.has_view(p.name) && context.places(context.view(p.name), chunk).size(0) > 0;
  if (any) {
    const Tensor places = context.places(context.view(p.name), chunk);
    const Tensor rows = context.rows(context.view(p.name), chunk);
    const Tensor a = first.index_select(0, places), b = second.index_select(0, places);
    const Tensor target = rows.t().flatten();  // of `each` the first clips', then the second ones'
    const Tensor answer = heads_[i].forward(p.pair ? at::cat({a, b}, 1) : at::cat({a, b}), Pass{});
    if (p.classes > 0) {
      if (target.min().item<int64_t>() < 0 || target.max().item<int64_t>() >= p.classes)
        throw_invalid("expected classes from 0 to " + std::to_string(p.classes - 1) + " in the view " +
                      p.name);
      loss = at::cross_entropy_loss(answer, target, {}, at::Reduction::Sum);
      hits = answer.detach().argmax(1).eq(target).sum().to(at::kFloat);
    } else {
      loss = at::smooth_l1_loss(answer.squeeze(1), target, at::Reduction::Sum);
    }
  }
  // Said by every rank, also by one whose samples have no target: all report the same names.
  const double share = chunk.share / static_cast<double>(chunk.size());
  context.report(p.name, loss, share);
  if (p.classes > 0) context.report(accuracy, hits, p.pair ? share : share / 2);
  return loss * share;
}

}  // namespace vssl::engine
