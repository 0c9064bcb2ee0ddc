// MoCo: an encoder against its momentum copy and a queue of that copy's past keys.
#pragma once

#include "../blocks/momentum_branch.h"

namespace vssl::engine {

struct MocoOptions : MomentumOptions {
  bool symmetric = false;  // each view is query and key in turn; the loss is the sum
};

// The options over a method's defaults; `extra` are keys that the caller reads itself.
MocoOptions read_moco(const Value& options, MocoOptions defaults, const std::vector<std::string>& extra);

class Moco : public Method {
 public:
  Moco(const MethodPlan& plan, MocoOptions options);
  std::vector<Network> networks() override;
  std::vector<HyperKey> hyper_keys() const override { return branch_.hyper_keys(); }
  void step(StepContext& context) override;
  void commit(const StepContext& context) override;
  NamedHandles extra_state() const override { return branch_.queue().state(); }
  void set_extra_state(const NamedHandles& state) override { branch_.queue().restore(state); }
  int64_t extra_bytes() const override { return branch_.queue().bytes(); }
  std::vector<std::string> encoder_names() override { return {"query", "key"}; }
  VideoNet& encoder(const std::string& name) override;

 protected:
  // Adds the loss of some queries and its gradient: clips (n, 3, T, H, W) and their keys (n, D), which are
  // `share` of the batch.
  virtual void learn_chunk(StepContext& context, const Tensor& clips, const Tensor& keys, double share);

  const Branch& query() const { return branch_.query(); }
  Tensor embed_queries(const StepContext& context, const Tensor& clips) const {
    return branch_.embed_queries(context, clips);
  }
  Tensor look_at_queries(const StepContext& context, const Tensor& clips) const {
    return branch_.look_at_queries(context, clips);
  }
  Tensor info_nce(const Tensor& queries, const Tensor& keys) const { return branch_.info_nce(queries, keys); }

 private:
  void learn(StepContext& context, const View& view, const Tensor& keys);

  bool symmetric_;
  MomentumBranch branch_;
  std::vector<Tensor> fresh_;  // keys of this step, enqueued when it is kept
};

}  // namespace vssl::engine
