// Networks that learn labels: an encoder with a head on it that gives a number for each class.
#pragma once

#include "../method.h"
#include "attention.h"

namespace vssl::engine {

// An encoder with a head, seen as one network: its vector has a number for each class (a logit). Its weights
// are the head's alone.
class Classifier : public VideoNet {
 public:
  int64_t stages() const override { return encoder_.stages(); }
  Tensor stage(int64_t index, Tensor x, const Pass& pass) const override {
    return encoder_.stage(index, std::move(x), pass);
  }
  int64_t stage_of(const std::string& name) const override { return encoder_.stage_of(name); }
  // (N, classes) in fp32.
  Tensor embed(const Tensor& clips, const Pass& pass) const override { return logits(read(clips, pass)); }

  // What the head reads of the clips, and what it makes of that.
  virtual Tensor read(const Tensor& clips, const Pass& pass) const = 0;
  virtual Tensor logits(const Tensor& features) const = 0;

 protected:
  Classifier(const VideoNet& encoder, int64_t classes)
      : VideoNet(encoder.weights().placement()), encoder_(encoder) {
    dim_ = classes;
    spec_ = encoder.spec();
  }
  const VideoNet& encoder_;
};

// z = W f + b of the pooled feature f.
class LinearClassifier : public Classifier {
 public:
  LinearClassifier(const VideoNet& encoder, int64_t classes, uint64_t seed);
  Tensor read(const Tensor& clips, const Pass& pass) const override { return encoder_.embed(clips, pass); }
  Tensor logits(const Tensor& features) const override { return output_[0].forward(features, Pass{}); }

 private:
  std::vector<Linear> output_;
};

struct AttentionOptions {
  int64_t layers = 1;
  int64_t heads = 8;
  int64_t width = 0;  // of the tokens; 0: the encoder's
};

// A learned query asks all places of the feature map, f_i:
//
//   x_0 = q        x_i = W f_i
//   x <- block(x), `layers` times (attention.h)
//   z = V LN(x_0) + b
class AttentiveClassifier : public Classifier {
 public:
  AttentiveClassifier(const VideoNet& encoder, int64_t classes, const AttentionOptions& options,
                      uint64_t seed);
  // (N, places, dim)
  Tensor read(const Tensor& clips, const Pass& pass) const override { return encoder_.tokens(clips, pass); }
  Tensor logits(const Tensor& tokens) const override;

 private:
  Tensor query_;
  std::vector<Linear> input_, output_;
  std::vector<TransformerBlock> blocks_;
  std::vector<LayerNorm> norm_;
};

// The side array that such methods read: a class for each sample.
RowsSpec label_side();
// A chunk's classes, on the device. Throws ERR_VSSL_INVALID_ARGUMENT for one that is not below `classes`.
Tensor labels_of(const StepContext& context, const Chunk& chunk, int64_t classes);

// Cross-entropy of logits (n, classes) with targets of which `smoothing` is shared out among all classes; its
// share of the batch's, and how many of the labels are named first, are reported.
Tensor label_loss(StepContext& context, const Chunk& chunk, const Tensor& logits, const Tensor& labels,
                  double smoothing);

}  // namespace vssl::engine
