#include "classifier.h"

#include "../errors.h"

namespace vssl::engine {

namespace {

// The output begins near 0: all classes are as likely as one another.
constexpr double kOutputGain = 0.1;

}  // namespace

LinearClassifier::LinearClassifier(const VideoNet& encoder, int64_t classes, uint64_t seed)
    : Classifier(encoder, classes) {
  output_.emplace_back(Scope(weights_, seed) / "output", encoder.dim(), classes, kOutputGain);
}

AttentiveClassifier::AttentiveClassifier(const VideoNet& encoder, int64_t classes,
                                         const AttentionOptions& options, uint64_t seed)
    : Classifier(encoder, classes) {
  const Scope root(weights_, seed);
  const int64_t width = options.width == 0 ? encoder.dim() : options.width;
  query_ = root.normal("query", {1, 1, width}, 0.02);
  input_.emplace_back(root / "input", encoder.dim(), width, 1.0);
  for (int64_t i = 0; i < options.layers; ++i)
    blocks_.emplace_back(root / "block" / i, width, options.heads, 4);
  norm_.emplace_back(root / "norm", width);
  output_.emplace_back(root / "output", width, classes, kOutputGain);
}

Tensor AttentiveClassifier::logits(const Tensor& tokens) const {
  const Tensor places = input_[0].forward(tokens, Pass{});
  Tensor x = at::cat({query_.expand({places.size(0), 1, places.size(2)}), places}, 1);
  // Nothing but the query is read out, so the last block computes no other.
  for (size_t i = 0; i < blocks_.size(); ++i)
    x = blocks_[i].forward(x, i + 1 == blocks_.size() ? 1 : x.size(1));
  return output_[0].forward(norm_[0].forward(x.select(1, 0)), Pass{});
}

RowsSpec label_side() { return {"label", at::kLong, {}}; }

Tensor labels_of(const StepContext& context, const Chunk& chunk, int64_t classes) {
  const Tensor labels = context.side("label").slice(0, chunk.begin, chunk.end);
  // on the host: a GPU would end the process
  if (labels.min().item<int64_t>() < 0 || labels.max().item<int64_t>() >= classes)
    throw_invalid("expected classes from 0 to " + std::to_string(classes - 1) + " in the side array label");
  return labels.to(context.placement.device);
}

Tensor label_loss(StepContext& context, const Chunk& chunk, const Tensor& logits, const Tensor& labels,
                  double smoothing) {
  const Tensor loss = at::cross_entropy_loss(logits, labels, {}, at::Reduction::Mean, -100, smoothing);
  context.report("loss", loss, chunk.share);
  context.report("accuracy", logits.argmax(1).eq(labels).to(at::kFloat).mean(), chunk.share);
  return loss * chunk.share;
}

}  // namespace vssl::engine
