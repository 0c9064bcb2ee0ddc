// Fine-tuning: the whole network learns labels. With f the pooled feature, m a mask that drops features and
// keeps their mean:
//
//   z = W (m f) + b        L = cross-entropy of z with targets of which `smoothing` is shared out
//
// The head learns at the rate of the step. Of the encoder's S stages the last learns at encoderRate times
// that, and each before it at depthDecay times the one behind it: what is nearest to the pictures has least
// to learn anew.
//
// Options: classes, dropout, smoothing, encoderRate, depthDecay. Each step: dropoutSeed.
#include <cmath>

#include "../blocks/classifier.h"
#include "../random.h"

namespace vssl::engine {

namespace {

class Finetune : public Method {
 public:
  explicit Finetune(const MethodPlan& plan)
      : classes_(plan.options.count("classes", 2)),
        dropout_(plan.options.number("dropout", 0)),
        smoothing_(plan.options.number("smoothing", 0)),
        encoder_rate_(plan.options.number("encoderRate", 0)),
        depth_decay_(plan.options.number("depthDecay", 0)),
        encoder_(create_model(plan.model, plan.seed, plan.placement)),
        classifier_(*encoder_, classes_, plan.seed) {
    if (dropout_ >= 1) throw_invalid("expected a dropout below 1: at 1 nothing is left");
  }

  std::vector<Network> networks() override {
    Network encoder{"encoder", &encoder_->weights()};
    encoder.rate = encoder_rate_;
    encoder.rate_of = [this](const std::string& name) {
      return std::pow(depth_decay_, static_cast<double>(encoder_->stages() - 1 - encoder_->stage_of(name)));
    };
    return {encoder, {"head", &classifier_.weights()}};
  }
  std::vector<std::pair<std::string, VideoNet*>> encoders() override { return {{"encoder", encoder_.get()}}; }
  std::vector<std::pair<std::string, VideoNet*>> readouts() override {
    return {{"classifier", &classifier_}};
  }
  Inputs inputs() const override { return {{clip_view("clip")}, {label_side()}, {seed_spec("dropoutSeed")}}; }

  void step(StepContext& context) override {
    const Rows& clips = context.view("clip");
    for (const Chunk& chunk : context.chunks()) {
      const Tensor labels = labels_of(context, chunk, classes_);
      const Tensor features = forward(context, context.clips(clips, chunk));
      const Tensor kept = features.detach().requires_grad_();
      {
        const Stopwatch watch(context.times.loss);
        const Tensor logits = classifier_.logits(dropout_ > 0 ? kept * mask(context, chunk) : kept);
        label_loss(context, chunk, logits, labels, smoothing_).backward();
      }
      const Stopwatch watch(context.times.backward);
      features.backward(kept.grad());
    }
  }

 private:
  Tensor forward(StepContext& context, const Tensor& clips) const {
    const Stopwatch watch(context.times.forward);
    return classifier_.read(clips, context.pass());
  }

  // (n, dim): 0 with probability `dropout`, else what keeps the mean. A number of (sample, feature) alone.
  Tensor mask(const StepContext& context, const Chunk& chunk) const {
    const CounterRandom random(context.seed("dropoutSeed"), "dropout");
    const int64_t dim = encoder_->dim();
    const Tensor kept = at::empty({chunk.size(), dim});
    float* out = kept.mutable_data_ptr<float>();
    const auto first = static_cast<uint64_t>((context.first_sample() + chunk.begin) * dim);
    for (int64_t i = 0; i < kept.numel(); ++i)
      out[i] = random.uniform(first + i) < dropout_ ? 0.0f : static_cast<float>(1 / (1 - dropout_));
    return kept.to(context.placement.device);
  }

  int64_t classes_;
  double dropout_, smoothing_, encoder_rate_, depth_decay_;
  std::unique_ptr<VideoNet> encoder_;
  LinearClassifier classifier_;
};

}  // namespace

VSSL_METHOD(finetune) { return std::make_unique<Finetune>(plan); }

}  // namespace vssl::engine
