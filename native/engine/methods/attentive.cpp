// The attentive probe (as in V-JEPA, Bardes et al. 2024, there on the tokens of a transformer): the encoder
// stays as it is, in evaluation mode; a query that asks all places of its last feature map learns to read
// labels off it (blocks/classifier.h).
//
// Options: classes, smoothing, layers, heads, width (0: the encoder's).
#include "../blocks/classifier.h"

namespace vssl::engine {

namespace {

AttentionOptions read_attention(Options& options) {
  AttentionOptions o;
  o.layers = options.count("layers", 1);
  o.heads = options.count("heads", 1);
  o.width = options.count("width", 0);
  return o;
}

class Attentive : public Method {
 public:
  explicit Attentive(const MethodPlan& plan)
      : classes_(plan.options.count("classes", 2)),
        smoothing_(plan.options.number("smoothing", 0)),
        encoder_(create_model(plan.model, plan.seed, plan.placement)),
        classifier_(*encoder_, classes_, read_attention(plan.options), plan.seed) {}

  std::vector<Network> networks() override {
    return {{"encoder", &encoder_->weights(), Role::kFrozen}, {"head", &classifier_.weights()}};
  }
  std::vector<std::pair<std::string, VideoNet*>> encoders() override { return {{"encoder", encoder_.get()}}; }
  std::vector<std::pair<std::string, VideoNet*>> readouts() override {
    return {{"classifier", &classifier_}};
  }
  Inputs inputs() const override { return {{clip_view("clip")}, {label_side()}, {}}; }

  void step(StepContext& context) override {
    const Rows& clips = context.view("clip");
    for (const Chunk& chunk : context.chunks()) {
      const Tensor labels = labels_of(context, chunk, classes_);
      const Tensor tokens = read(context, context.clips(clips, chunk));
      const Tensor loss = loss_of(context, chunk, tokens, labels);
      const Stopwatch watch(context.times.backward);
      loss.backward();
    }
  }

 private:
  Tensor read(StepContext& context, const Tensor& clips) const {
    const Stopwatch watch(context.times.forward);
    const at::NoGradGuard no_grad;
    Pass pass;
    pass.compute = context.compute;
    return classifier_.read(clips, pass);
  }

  Tensor loss_of(StepContext& context, const Chunk& chunk, const Tensor& tokens, const Tensor& labels) const {
    const Stopwatch watch(context.times.loss);
    return label_loss(context, chunk, classifier_.logits(tokens), labels, smoothing_);
  }

  int64_t classes_;
  double smoothing_;
  std::unique_ptr<VideoNet> encoder_;
  AttentiveClassifier classifier_;
};

}  // namespace

VSSL_METHOD(attentive) { return std::make_unique<Attentive>(plan); }

}  // namespace vssl::engine
