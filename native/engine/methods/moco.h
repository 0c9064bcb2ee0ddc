// MoCo: an encoder against its momentum copy and a queue of that copy's past keys.
#pragma once

#include "../key_queue.h"
#include "branch.h"

namespace vssl::engine {

struct MocoOptions {
  HeadOptions head;
  double temperature = 0.2;
  MomentumQueueOptions queue;  // dim is filled from the head, seed from the plan
  bool symmetric = false;      // each view is query and key in turn; the loss is the sum
  int64_t norm_groups = 1;     // BatchNorm sees the batch in so many parts, the keys in another order
};

// The options over a method's defaults; `extra` are keys that the caller reads itself.
MocoOptions read_moco(const Value& options, MocoOptions defaults, const std::vector<std::string>& extra);

class Moco : public Method {
 public:
  Moco(const MethodPlan& plan, MocoOptions options);
  std::vector<Network> networks() override;
  void step(StepContext& context) override;
  void commit(const StepContext& context) override;
  NamedHandles extra_state() const override { return queue_->state(); }
  void set_extra_state(const NamedHandles& state) override { queue_->restore(state); }
  int64_t extra_bytes() const override { return queue_->bytes(); }
  std::vector<std::string> encoder_names() override { return {"query", "key"}; }
  VideoNet& encoder(const std::string& name) override;

 protected:
  // Adds the loss of some queries and its gradient: clips (n, 3, T, H, W) and their keys (n, D), which are
  // `share` of the batch.
  virtual void learn_chunk(StepContext& context, const Tensor& clips, const Tensor& keys, double share);

  const Branch& query() const { return query_; }
  Tensor embed_queries(const StepContext& context, const Tensor& clips) const {
    return embed_in_groups(query_, clips, context.compute);
  }
  Tensor info_nce(const Tensor& queries, const Tensor& keys) const {
    return queue_->info_nce_loss(queries, keys, options_.temperature);
  }

 private:
  Tensor embed_in_groups(const Branch& branch, const Tensor& clips, at::ScalarType compute) const;
  Tensor keys(StepContext& context, const View& view) const;
  void learn(StepContext& context, const View& view, const Tensor& keys);

  MocoOptions options_;
  Branch query_, key_;
  std::unique_ptr<KeyQueue> queue_;
  std::vector<Tensor> fresh_;  // keys of this step, enqueued when it is kept
};

}  // namespace vssl::engine
