// The kernels that the engine has for a device, by pointers to the device's memory: one table a device
// (cuda_kernels.cpp; the tests bring a device of their own). Everything else on a device is libtorch's
// operations.
//
// What each function does, shapes and bounds: ../../kernels/cuda/kernels_cuda.h, training_cuda.h,
// clips_cuda.h. They run in the order of `stream`, take no memory and do not wait. Errors are vssl::Error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "../../kernels/clips.h"
#include "../../kernels/kernels.h"
#include "../../kernels/queue.h"
#include "../../kernels/training.h"
#include "../tensor.h"

namespace vssl::engine {

// Memory of the caller's on the device, on a 256-byte boundary.
struct Room {
  void* memory;
  size_t bytes;
};

// A momentum queue: `memory` has queue_bytes(options) bytes.
struct QueuePlace {
  const MomentumQueueOptions& options;
  void* memory;
};

struct NormStatistics {
  float *mean, *inverse;              // written
  float *running_mean, *running_var;  // moved, or read in inference; both null: left alone
  const double* moments = nullptr;    // of `rows` rows; null in inference
  int64_t rows = 0;
};

struct NormAffine {
  const float *gamma, *beta;  // beta may be null
};

struct NormGradients {
  void *x, *residual;   // residual may be null
  float *gamma, *beta;  // beta may be null
};

// Work of a device, recorded once to be done again.
class DeviceGraph {
 public:
  virtual ~DeviceGraph() = default;
  // What `work` gives the device to do, done once. The tensors that it returns are those that replay()
  // writes. What it reads stays where it is. `work` may be kept and called again.
  virtual std::vector<Tensor> record(const std::function<std::vector<Tensor>()>& work) = 0;
  // The same once more, in the order of the current stream.
  virtual void replay() = 0;
};

class DeviceKernels {
 public:
  virtual ~DeviceKernels() = default;
  // The stream that libtorch's operations of this thread go to.
  virtual void* stream(at::Device device) const = 0;
  // Bytes of the host that the device reads by itself while the host goes on; given out again when it is
  // done.
  virtual Tensor slot(int64_t bytes) const = 0;
  virtual std::unique_ptr<DeviceGraph> graph(at::Device device) const = 0;

  virtual size_t nt_xent_room(int64_t rows, int64_t dim, const NtXentOptions& options) const = 0;
  virtual void nt_xent(NtXentResult* result, float* gradient, const float* embeddings, int64_t rows,
                       int64_t dim, const NtXentOptions& options, Room room, void* stream) const = 0;

  virtual size_t queue_bytes(const MomentumQueueOptions& options) const = 0;
  // ids: null of a queue whose keys have no numbers.
  virtual void queue_restore(QueuePlace queue, const float* keys, const float* ages, const int64_t* ids,
                             int64_t length, int64_t next, void* stream) const = 0;
  virtual void queue_enqueue(QueuePlace queue, const float* keys, int64_t rows, const int64_t* ids,
                             void* stream) const = 0;
  virtual void queue_read(float* keys, float* ages, int64_t* ids, int64_t* length, QueuePlace queue,
                          void* stream) const = 0;
  virtual size_t info_nce_room(const MomentumQueueOptions& queue, int64_t rows,
                               const InfoNceOptions& options) const = 0;
  virtual void info_nce(double* loss, float* gradient, const float* queries, const float* keys, int64_t rows,
                        QueuePlace queue, const InfoNceOptions& options, Room room, void* stream) const = 0;

  virtual void ema_update(const EmaSpan* spans, int64_t count, double momentum, void* stream) const = 0;
  virtual void dct_motion(float* out, const float* clip, int64_t frames, int64_t pixels,
                          const DctMotionOptions& options, void* stream) const = 0;

  virtual size_t clips_room(const ClipsShape& shape) const = 0;
  virtual void make_clips(void* out, const void* blocks, const int64_t* offsets, const ClipsShape& shape,
                          Room room, void* stream) const = 0;

  virtual size_t norm_room(const NormShape& shape) const = 0;
  virtual void norm_moments(double* moments, const void* x, const NormShape& shape, Room room,
                            void* stream) const = 0;
  virtual void norm_forward(void* y, const NormStatistics& statistics, const void* x, NormAffine affine,
                            const void* residual, const NormShape& shape, const NormSettings& settings,
                            void* stream) const = 0;
  virtual void norm_backward_sums(double* sums, const void* grad_y, const void* y, const void* x,
                                  const float* mean, const NormShape& shape, Room room,
                                  void* stream) const = 0;
  virtual void norm_backward(const NormGradients& gradients, const double* own_sums, const double* all_sums,
                             int64_t rows, const void* grad_y, const void* y, const void* x,
                             const float* gamma, const float* mean, const float* inverse,
                             const NormShape& shape, void* stream) const = 0;

  virtual size_t square_sums_room(const SquareSpan* spans, int64_t count, int64_t outputs) const = 0;
  virtual void square_sums(double* sums, int64_t outputs, const SquareSpan* spans, int64_t count, Room room,
                           void* stream) const = 0;
  virtual void momentum_update(const MomentumSpan* spans, int64_t count, double momentum, bool nesterov,
                               const double* squares, void* stream) const = 0;
  virtual void adam_update(const AdamSpan* spans, int64_t count, const AdamSettings& settings,
                           void* stream) const = 0;
};

}  // namespace vssl::engine
