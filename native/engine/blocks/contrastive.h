// Two views, one encoder, one head, NT-Xent: what CVRL and SimCLR share.
#pragma once

#include "branch.h"

namespace vssl::engine {

struct ContrastiveOptions {
  HeadOptions head;
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
  ContrastiveOptions options_;
  Branch branch_;
};

// Reads the options that both methods have over the method's defaults.
ContrastiveOptions read_contrastive(const Value& options, const ContrastiveOptions& defaults);

}  // namespace vssl::engine
