// The named tensors of one network, and the scope through which its layers create them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine.h"
#include "tensor.h"

namespace vssl::engine {

// Where and in which memory layout a network's tensors live.
struct Placement {
  at::Device device = at::kCPU;
  bool channels_last = true;
};

class Weights {
 public:
  struct Entry {
    std::string name;  // "layer1.0.conv1.0.weight"
    Tensor tensor;     // shares its storage with the layer's handle
    bool trainable;    // false: a buffer
  };

  explicit Weights(const Placement& placement) : placement_(placement) {}
  Weights(const Weights&) = delete;
  Weights& operator=(const Weights&) = delete;

  const Placement& placement() const { return placement_; }
  const std::vector<Entry>& entries() const { return entries_; }
  int64_t parameter_count() const;

  Tensor add(const std::string& name, const Tensor& value, bool trainable);
  // Throws ERR_VSSL_OUT_OF_MEMORY when a tensor of these sizes, with those that are there, cannot fit.
  void check_room(const std::string& name, at::IntArrayRef sizes) const;

  // Layers keep copies in the compute type; call this after writing to any tensor, so that they are made
  // anew.
  void changed() { ++version_; }
  int64_t version() const { return version_; }

  // Contiguous copies on the CPU.
  std::vector<NamedTensor> save() const;
  // Names and shapes must match exactly; nothing is written when they do not.
  void load(const std::vector<NamedTensor>& source);

 private:
  Placement placement_;
  std::vector<Entry> entries_;
  int64_t version_ = 0;
  double bytes_ = 0;
};

// A name prefix within Weights plus the seed: `scope / "conv1"` is the place of a child.
class Scope {
 public:
  Scope(Weights& weights, uint64_t seed) : weights_(&weights), seed_(seed) {}
  Scope operator/(const std::string& name) const;
  Scope operator/(int64_t index) const { return *this / std::to_string(index); }

  Weights& weights() const { return *weights_; }
  // Parameter drawn from N(0, deviation^2): entry i is a function of (seed, full name, i) alone.
  Tensor normal(const std::string& name, at::IntArrayRef sizes, double deviation) const;
  Tensor constant(const std::string& name, at::IntArrayRef sizes, double value) const;
  Tensor buffer(const std::string& name, at::IntArrayRef sizes, double value,
                at::ScalarType type = at::kFloat) const;

 private:
  std::string full(const std::string& name) const { return prefix_ + name; }
  Weights* weights_;
  uint64_t seed_;
  std::string prefix_;
};

// Safetensors form of a tensor and back (CPU, contiguous).
NamedTensor to_named(const std::string& name, const Tensor& tensor);
Tensor from_named(const NamedTensor& named);

}  // namespace vssl::engine
