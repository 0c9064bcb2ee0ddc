// The engine's public face, in plain types: what binding/ may include. Everything that needs autograd lives
// behind it. Calls are blocking; the binding runs them off the event loop. A Session and an Encoder are used
// by one thread at a time (each has a mutex); different objects may be used at once.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "../common/value.h"
#include "../video/video.h"

namespace vssl::engine {

// A named tensor in the safetensors sense. dtype: "F32", "F64", "BF16", "I64", "U8", "BOOL".
struct NamedTensor {
  std::string name;
  std::string dtype;
  std::vector<int64_t> shape;
  std::vector<uint8_t> data;  // little endian, contiguous
};

struct EngineInfo {
  std::string torch_version;
  bool cuda_built = false, cuda_available = false;
  std::string cuda_reason;                  // why not available
  std::string cuda_version, cudnn_version;  // of the build for CUDA
  std::vector<std::string> cuda_devices;    // names of the GPUs: cuda:0, cuda:1...
  std::string cpu_capability;               // "AVX512" ...
  bool bf16_fast = false;                   // the CPU has native bf16 dot products
  int threads = 1;
};
EngineInfo info();

// Smallest clips that an architecture takes, frames x size x size.
struct LeastClip {
  int64_t frames = 1, size = 1;
};
struct ArchitectureInfo {
  std::string name;
  std::vector<std::string> keys;  // of its ModelSpec, beside arch and width
  LeastClip least_clip;
  double least_width, most_width;
};
std::vector<ArchitectureInfo> architectures();

struct MethodInfo {
  std::string name, file;
};
std::vector<MethodInfo> methods();

void set_threads(int threads);  // intra-op threads of libtorch, process wide

struct StepResult {
  std::map<std::string, double> losses;  // "loss" is the total; others by name
  double grad_norm = 0;                  // before clipping, of the networks that minimise the total
  bool finite = true;  // false: the step was not applied, the state is what it was before the call
  // fp16 alone: the scaled gradient went beyond its range. The step was not applied, and the scale is smaller
  // now.
  bool overflow = false;
  double forward_seconds = 0, loss_seconds = 0, backward_seconds = 0, optimizer_seconds = 0;
  // With several ranks: what their exchanges took, waiting included, and of that those of the loss; bytes
  // sent.
  double exchange_seconds = 0, loss_exchange_seconds = 0, exchange_bytes = 0;
};

struct MemoryStats {
  int64_t live_tensors = 0, host_bytes = 0, device_bytes = 0;
};

// Processes that train together, for what they tell each other beside the steps: spec is
// collectives/process_ranks.h's.
class Ranks {
 public:
  explicit Ranks(const Value& spec);
  ~Ranks();
  std::vector<std::string> exchange(const std::string& text);  // one of each rank, in rank order
  void leave(const std::string& reason);                       // why this rank goes, for the others
 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// spec (all keys checked, unknown ones are errors):
// { method: 'cvrl', options: {...method's own}, model: ModelSpec, optimizer: { name: 'sgd'|'lars'|'adamw',
// momentum,
//   nesterov, weightDecay, betas, eps, trustCoefficient }, precision: 'fp32'|'bf16'|'fp16' (not on the CPU),
//   channelsLast: bool, checkpoint: 'none'|'stage' (stages are computed again in the backward), accumulate:
//   int, clipNorm: number|null, seed: int, device: 'cpu'|'cuda'|'cuda:N', syncNorm: bool (BatchNorm sees the
//   batch of all ranks), ranks: null or RanksSpec }
// With ranks each has its part of the batch, of one size, and all make the same calls of step() and
// share_state(). ModelSpec: { arch: 'r3d_18', width: 1, ... }; the model's weights are drawn from `seed`.
class Session {
 public:
  explicit Session(const Value& spec);
  ~Session();
  // hyper: numbers of this step, { lr } and those that the method reads (momentum, seeds...). Views, side
  // arrays and numbers that are missing, unknown or not what the method reads throw
  // ERR_VSSL_INVALID_ARGUMENT. A call that throws leaves the state as it was.
  StepResult step(const video::Batch& batch, const Value& hyper);
  // What is packed of a batch that a step will read, on its way to the device while another step runs. It may
  // be left out; it never waits for a step.
  void prepare(const video::Batch& batch);
  // Everything a later process needs to go on with the same bits: parameters, buffers, optimiser state,
  // counters.
  std::vector<NamedTensor> export_state();
  void import_state(const std::vector<NamedTensor>& state);  // names, shapes and dtypes must match exactly
  // Rank 0's state becomes that of all ranks, which all call this; nothing where there is one.
  void share_state();
  std::vector<std::string> encoder_names();  // first is the one that the method's paper evaluates
  std::vector<NamedTensor> export_encoder(const std::string& name);
  // Weights to begin training from: into an encoder and its momentum copies. Names, shapes and dtypes must
  // match exactly.
  void load_weights(const std::string& encoder, const std::vector<NamedTensor>& weights);
  Value encoder_spec(const std::string& name);  // ModelSpec with which Encoder can be created
  // Pooled features (N, dim) of a view by the current encoder, or what a readout of the method makes of them,
  // in eval mode.
  std::vector<float> embed(const video::Batch& batch, const std::string& view, const std::string& encoder);
  MemoryStats stats();  // of the last call that ended; never waits for one that runs

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// One convolution of a network, run alone.
struct ConvolutionTime {
  std::vector<int64_t> input, output, kernel;  // (N, C, T, H, W) twice, (T, H, W)
  double flops = 0;                            // multiplications and additions
  double seconds = 0;
};

class Encoder {
 public:
  // spec: ModelSpec plus { seed, device, precision: 'fp32'|'bf16', channelsLast }
  explicit Encoder(const Value& spec);
  ~Encoder();
  int64_t dim() const;
  std::vector<NamedTensor> weights();
  void load_weights(const std::vector<NamedTensor>& weights);  // strict: names and shapes must match
  // BatchNorm statistics from data: running mean and variance become the average over all batches given
  // between begin and end (needed for a fair random baseline).
  void calibrate_begin();
  void calibrate(const video::Batch& batch, const std::string& view);
  void calibrate_end();
  // (N, dim), the mean over the whole feature map; with a grid of t x h x w cells (N, dim * t * h * w), the
  // mean over each of them, the cells of a channel side by side.
  std::vector<float> embed(const video::Batch& batch, const std::string& view,
                           const std::array<int64_t, 3>& grid = {1, 1, 1});
  // What embed() takes at least: each convolution that the network makes for the clips of this view, alone on
  // an input of its size, in the encoder's precision.
  std::vector<ConvolutionTime> time_convolutions(const video::Batch& batch, const std::string& view);
  // Raw network in fp32 and eval mode: clips (N, 3, T, H, W) contiguous floats -> (N, dim).
  std::vector<float> forward(const float* clips, int64_t n, int64_t t, int64_t h, int64_t w);
  MemoryStats stats();  // of the last call that ended; never waits for one that runs

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Multinomial logistic regression on frozen features (the linear probe), full batch, deterministic.
// options: { weightDecay, maxIterations, normalize: bool, tolerance }
// Returns scores (testRows, classes) and { trainAccuracy, iterations, loss }.
struct LinearFit {
  std::vector<float> scores;
  double train_accuracy = 0, loss = 0;
  int64_t iterations = 0;
};
LinearFit fit_linear(const float* train, const int32_t* labels, int64_t train_rows, const float* test,
                     int64_t test_rows, int64_t dim, int64_t classes, const Value& options);

// Compares one bf16 conv3d weight gradient per risky shape with fp32; empty when all is well, else what is
// wrong.
std::string self_test(const std::string& device = "cpu");

}  // namespace vssl::engine
