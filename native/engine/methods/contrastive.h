// Two views, one encoder, one head, NT-Xent: what CVRL and SimCLR share.
#pragma once

#include "../models/heads.h"
#include "method.h"

namespace vssl::engine {

struct ContrastiveOptions {
  HeadOptions head;  // `in` is filled from the encoder, `hidden` too when it is 0
  double temperature = 0.1;
  double loss_scale = 1;  // of the mean over the 2N rows
};

class Contrastive : public Method {
 public:
  Contrastive(const MethodPlan& plan, ContrastiveOptions options);
  std::vector<Network> networks() override;
  void step(StepContext& context) override;
  std::vector<std::string> encoder_names() override { return {"encoder"}; }
  VideoNet& encoder(const std::string& name) override;

 private:
  struct Chunk {
    int64_t begin, end;
  };
  Tensor embed(const StepContext& context, Chunk chunk, bool update_stats) const;
  Tensor loss_gradient(StepContext& context, const Tensor& z) const;

  ContrastiveOptions options_;
  std::unique_ptr<VideoNet> encoder_;
  std::unique_ptr<ProjectionHead> head_;
};

// Reads the options that both methods have over the method's defaults; `extra` are keys the caller reads
// itself.
ContrastiveOptions read_contrastive(const Value& options, const ContrastiveOptions& defaults,
                                    const std::vector<std::string>& extra);

}  // namespace vssl::engine
