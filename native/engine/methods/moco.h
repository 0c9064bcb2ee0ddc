// MoCo: an encoder against its momentum copy and a queue of that copy's past keys.
#pragma once

#include "../key_queue.h"
#include "branch.h"

namespace vssl::engine {

struct MocoOptions {
  HeadOptions head;
  double temperature = 0.2;
  KeyQueueOptions queue;    // dim is filled from the head
  bool symmetric = false;   // each view is query and key in turn; the loss is the sum
  int64_t norm_groups = 1;  // BatchNorm sees the batch in so many parts, the keys in another order
};

class Moco : public Method {
 public:
  Moco(const MethodPlan& plan, MocoOptions options);
  std::vector<Network> networks() override;
  void step(StepContext& context) override;
  void commit(const StepContext& context) override;
  std::vector<std::pair<std::string, Tensor>> extra_state() override { return queue_.state(); }
  void imported() override { queue_.state_changed(); }
  std::vector<std::string> encoder_names() override { return {"query", "key"}; }
  VideoNet& encoder(const std::string& name) override;

 private:
  struct Chunk {
    int64_t begin, end;
  };
  Tensor embed_in_groups(const Branch& branch, const Tensor& clips, at::ScalarType compute) const;
  Tensor keys(StepContext& context, const View& view) const;
  void learn(StepContext& context, const View& view, const Tensor& keys);

  MocoOptions options_;
  Branch query_, key_;
  KeyQueue queue_;
  std::vector<Tensor> fresh_;  // keys of this step, enqueued when it is kept
};

}  // namespace vssl::engine
