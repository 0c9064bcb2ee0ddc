// The interface of a self-supervised method: networks it owns, one training step over named views, encoders
// to export.
//
// The session around it does what all methods share: it turns batches into tensors, checks that they are what
// the method reads, takes a snapshot of every buffer, calls step(), sums gradients over processes, checks
// that they are finite, clips, updates the trained networks and calls commit(). When anything is not finite
// it restores the snapshot and drops the gradients; so step() may write to buffers of its networks (BatchNorm
// statistics) and to gradients, and to nothing else. Whatever else moves in a step (momentum copies, queues,
// ages) moves in commit().
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backbones/video_net.h"
#include "options.h"
#include "step_context.h"

namespace vssl::engine {

enum class Role {
  kTrained,
  kMomentum,  // a copy of a trained network, moved by the method's commit()
  kFrozen,    // never moves: weights that were given
};

// A network of a method. Names are unique and become prefixes of tensor names in checkpoints.
struct Network {
  std::string name;
  Weights* weights;
  Role role = Role::kTrained;
  const Weights* source = nullptr;  // of a momentum copy
  // Which loss it minimises. Gradients of one objective are clipped together, apart from the others': an
  // adversary's must not shrink its opponent's.
  size_t objective = 0;
  double rate = 1, decay = 1;  // factors of the learning rate and of the weight decay
  // A further factor of the rate for each of its tensors, by name; empty: none.
  std::function<double(const std::string&)> rate_of = {};
};

// State of a method beside its networks, for checkpoints: queues, rings, centres.
class Stored {
 public:
  virtual ~Stored() = default;
  // By name, as of now; and putting it back, the same names in the same order.
  virtual NamedHandles state() const = 0;
  virtual void restore(const NamedHandles& state) = 0;
  virtual int64_t bytes() const = 0;
};

class Method {
 public:
  virtual ~Method() = default;
  virtual std::vector<Network> networks() = 0;
  // What its step and commit read of a batch and of the step's numbers, beside the session's lr.
  virtual Inputs inputs() const = 0;
  // Reports its losses, "loss" being their total, and accumulates gradients into the trained networks.
  virtual void step(StepContext& context) = 0;
  // After the update was applied.
  virtual void commit(const StepContext& context) { (void)context; }
  // Whether a step over clips of the same shape is the same work each time: nothing drawn, nothing chosen and
  // nothing read by the host, no number but the rate, nothing left to commit. Devices may then record it.
  virtual bool repeats() const { return false; }
  // Each with the prefix of its tensors' names in a checkpoint.
  virtual std::vector<std::pair<std::string, Stored*>> stored() { return {}; }
  // By name; the first is the one that the method's paper evaluates.
  virtual std::vector<std::pair<std::string, VideoNet*>> encoders() = 0;
  // What a session embeds with beside its encoders, and never exports as one: an encoder with a head on it.
  virtual std::vector<std::pair<std::string, VideoNet*>> readouts() { return {}; }
};

struct MethodPlan {
  Options& options;    // the method's own
  const Value& model;  // ModelSpec
  uint64_t seed;
  Placement placement;
};

// Heads the function that makes the method of this name from its plan. One a file, methods/NAME.cpp: the list
// of methods is made from the files.
#define VSSL_METHOD(name) std::unique_ptr<Method> vssl_method_##name([[maybe_unused]] const MethodPlan& plan)

struct MethodEntry {
  std::string name, file;
  std::unique_ptr<Method> (*create)(const MethodPlan& plan);
};
const std::vector<MethodEntry>& method_list();

// The entry of a name. Throws ERR_VSSL_INVALID_ARGUMENT for unknown names.
const MethodEntry& find_method(const std::string& name);
// Throws ERR_VSSL_INVALID_ARGUMENT when `options` has not just the options that the method reads.
std::unique_ptr<Method> create_method(const MethodEntry& entry, const Value& options, const Value& model,
                                      uint64_t seed, const Placement& placement);

}  // namespace vssl::engine
