// What a method's step works with: the batch, the numbers of the step, and helpers for what all steps do.
#pragma once

#include <c10/core/Event.h>

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "collectives/collectives.h"
#include "inputs.h"
#include "layers/pass.h"
#include "weights.h"

namespace vssl::engine {

// What a part of the step took. On the CPU that is the time of its calls; the calls of a device return before
// their work is done, so there it is the time between two marks in the device's stream.
class StageTime {
 public:
  explicit StageTime(at::Device device) : device_(device) {}
  // Once the device has passed the last mark.
  double seconds() const;

 private:
  friend class Stopwatch;
  c10::Event mark() const;

  at::Device device_;
  double seconds_ = 0;
  std::vector<std::pair<c10::Event, c10::Event>> marks_;
};

struct StepTimes {
  explicit StepTimes(at::Device device) : forward(device), loss(device), backward(device) {}
  StageTime forward, loss, backward;
  double loss_exchange = 0;  // seconds; of those of the loss, what went into exchanges of ranks
};

// Adds the time from its construction to its destruction.
class Stopwatch {
 public:
  explicit Stopwatch(double& seconds) : seconds_(seconds), start_(Clock::now()) {}
  explicit Stopwatch(StageTime& stage);
  ~Stopwatch();
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  using Clock = std::chrono::steady_clock;
  double& seconds_;
  StageTime* stage_ = nullptr;  // on a device
  std::optional<c10::Event> begin_;
  Clock::time_point start_;
};

// Samples [begin, end) of the batch.
struct Chunk {
  int64_t begin, end;
  double share;  // of the samples of all processes
  int64_t size() const { return end - begin; }
};

class StepContext {
 public:
  StepContext(const std::vector<Rows>& views, const std::vector<Rows>& side, int64_t samples,
              const Value& numbers, Collectives& collectives, bool sync_norm, int64_t accumulate,
              at::ScalarType compute, const Placement& placement, bool checkpoint = false,
              double gradient_scale = 1, bool timed = true)
      : collectives(collectives),
        samples(samples),
        compute(compute),
        placement(placement),
        times(timed ? placement.device : at::Device(at::kCPU)),
        views_(views),
        side_(side),
        numbers_(numbers),
        sync_norm_(sync_norm),
        accumulate_(accumulate),
        checkpoint_(checkpoint),
        gradient_scale_(gradient_scale) {}

  // `timed`: a step that is recorded has no times of its parts.
  //
  // A view or side array that inputs() names and the batch has. Throws ERR_VSSL_INVALID_ARGUMENT otherwise.
  const Rows& view(const std::string& name) const;
  bool has_view(const std::string& name) const;
  const Tensor& side(const std::string& name) const;
  // Of the step. `has` is for numbers that are not required.
  double number(const std::string& name) const { return numbers_[name].as_number("hyper." + name); }
  uint64_t seed(const std::string& name) const { return static_cast<uint64_t>(number(name)); }
  bool has(const std::string& name) const { return !numbers_[name].is_null(); }

  // A pass in training: BatchNorm sees the batch, that of all ranks where it is synchronised, and moves its
  // running statistics when told to.
  Pass pass(bool update_stats = true) const;
  // The place of this rank's first sample in the batch of all ranks, each of which has as many.
  int64_t first_sample() const { return collectives.rank() * samples; }
  // The chunks that the batch is cut into (train.accumulate), one sample each at least.
  std::vector<Chunk> chunks() const;
  // A chunk's rows of a view, on the device: fewer than its samples when some lack the view.
  Tensor rows(const Rows& view, const Chunk& chunk) const;
  // The places of these rows among the chunk's samples, on the device.
  Tensor places(const Rows& view, const Chunk& chunk) const;
  // A chunk's clips of a view, in the compute type, on the device, in the networks' layout.
  Tensor clips(const Rows& view, const Chunk& chunk) const;

  // Adds `factor` times a scalar to the loss of this name. Of several processes each reports its share.
  void report(const std::string& name, const Tensor& value, double factor = 1);
  // What was reported, in order: doubles on the device, to be fetched together with what else the step
  // fetches.
  Tensor reported() const;
  // Sums by name of the fetched values, over all processes.
  std::map<std::string, double> losses(const double* values) const;
  std::map<std::string, double> losses() const {
    return losses(reported().to(at::kCPU).const_data_ptr<double>());
  }

  Collectives& collectives;
  const int64_t samples;         // of the batch, this rank's part of it
  const at::ScalarType compute;  // type of activations
  const Placement placement;
  StepTimes times;

 private:
  struct Report {
    std::string name;
    Tensor value;
    double factor;
  };
  const std::vector<Rows>&views_, &side_;
  const Value& numbers_;
  bool sync_norm_;
  int64_t accumulate_;
  bool checkpoint_;
  double gradient_scale_;
  std::vector<Report> reports_;
};

}  // namespace vssl::engine
