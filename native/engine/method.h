// The interface of a self-supervised method: networks it owns, one training step over named views, encoders
// to export.
//
// The session around it does what all methods share: it turns batches into tensors, takes a snapshot of every
// buffer, calls step(), sums gradients over processes, checks that they are finite, clips, updates the
// trainable networks and calls commit(). When anything is not finite it restores the snapshot and drops the
// gradients; so step() may write to buffers of its networks (BatchNorm statistics) and to gradients, and to
// nothing else. Whatever else moves in a step (EMA copies, queues, ages) moves in commit().
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "collectives/collectives.h"
#include "layers/layers.h"
#include "backbones/video_net.h"
#include "hyper.h"

namespace vssl::engine {

// One view of the batch. Rows of different views with the same index belong to the same sample.
struct View {
  std::string name;
  Tensor clips;  // (N, 3, T, H, W) fp32 on the CPU, channels-last, borrowed from the batch
};

struct StepTimes {
  double forward = 0, loss = 0, backward = 0;  // seconds
};

// Adds the time from its construction to its destruction.
class Stopwatch {
 public:
  explicit Stopwatch(double& seconds) : seconds_(seconds), start_(Clock::now()) {}
  ~Stopwatch() { seconds_ += std::chrono::duration<double>(Clock::now() - start_).count(); }

 private:
  using Clock = std::chrono::steady_clock;
  double& seconds_;
  Clock::time_point start_;
};

struct StepContext {
  const std::vector<View>& views;
  const Value& hyper;  // numbers of this step, and arrays of them with entries for each sample
  Collectives& collectives;
  int64_t accumulate;      // chunks into which the batch is cut
  at::ScalarType compute;  // type of activations
  Placement placement;
  StepTimes times;
  std::map<std::string, double> losses;  // out: "loss" is the total

  // Throws ERR_VSSL_INVALID_ARGUMENT when the batch has no such view.
  const View& view(const std::string& name) const;
  // Rows [begin, end) of a view in the compute type, on the device, in the network's layout.
  Tensor clips(const View& view, int64_t begin, int64_t end) const;
};

// A network of a method. Names are unique and become prefixes of tensor names in checkpoints.
struct Network {
  std::string name;
  Weights* weights;
  bool trainable = true;  // false: an EMA copy, moved by the method's commit()
  // Which loss it minimises. Gradients of one objective are clipped together, apart from the others': an
  // adversary's must not shrink its opponent's.
  size_t objective = 0;
};

class Method {
 public:
  virtual ~Method() = default;
  virtual std::vector<Network> networks() = 0;
  // What its step and commit read of context.hyper, beside the session's lr. Checked before each step.
  virtual std::vector<HyperKey> hyper_keys() const { return {}; }
  // Computes context.losses and accumulates gradients into the trainable networks' parameters.
  virtual void step(StepContext& context) = 0;
  // After the update was applied.
  virtual void commit(const StepContext& context) { (void)context; }
  // What a checkpoint must hold beside the networks (queues, centres), by name, as of now; and putting it
  // back: the same names in the same order.
  virtual NamedHandles extra_state() const { return {}; }
  virtual void set_extra_state(const NamedHandles& state) { (void)state; }
  virtual int64_t extra_bytes() const { return 0; }
  // First is the one that the method's paper evaluates.
  virtual std::vector<std::string> encoder_names() = 0;
  virtual VideoNet& encoder(const std::string& name) = 0;
};

struct MethodPlan {
  const Value& options;  // the method's own
  const Value& model;    // ModelSpec
  uint64_t seed;
  Placement placement;
};

// Heads the function that makes the method of this name from its plan. One a file, methods/NAME.cpp: the list of
// methods is made from the files.
#define VSSL_METHOD(name) std::unique_ptr<Method> vssl_method_##name([[maybe_unused]] const MethodPlan& plan)

struct MethodEntry {
  std::string name, file;
  std::unique_ptr<Method> (*create)(const MethodPlan& plan);
};
const std::vector<MethodEntry>& method_list();

// Throws ERR_VSSL_INVALID_ARGUMENT for unknown names.
std::unique_ptr<Method> create_method(const std::string& name, const MethodPlan& plan);

}  // namespace vssl::engine
