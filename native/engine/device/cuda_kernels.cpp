// CUDA devices: their table of kernels, and how libtorch is set up for them. A part of the CUDA build alone.
#include <ATen/Context.h>
#include <c10/cuda/CUDAStream.h>

#include <mutex>

#include "../../kernels/cuda/clips_cuda.h"
#include "../../kernels/cuda/kernels_cuda.h"
#include "../../kernels/cuda/training_cuda.h"
#include "../engine.h"
#include "devices.h"

namespace vssl::engine {

std::unique_ptr<DeviceGraph> cuda_graph(at::Device device);  // cuda_graph.cpp

namespace {

cudaStream_t on(void* stream) { return static_cast<cudaStream_t>(stream); }
cuda::DeviceQueue queue_of(QueuePlace place) { return {place.options, place.memory}; }

class CudaKernels final : public DeviceKernels {
 public:
  void* stream(at::Device device) const override {
    return c10::cuda::getCurrentCUDAStream(device.index()).stream();
  }

  Tensor slot(int64_t bytes) const override {
    return at::empty({bytes}, at::TensorOptions().dtype(at::kByte).pinned_memory(true));
  }
  std::unique_ptr<DeviceGraph> graph(at::Device device) const override { return cuda_graph(device); }

  size_t nt_xent_room(int64_t rows, int64_t dim, const NtXentOptions& options) const override {
    return cuda::nt_xent_workspace(rows, dim, options, true);
  }
  void nt_xent(NtXentResult* result, float* gradient, const float* embeddings, int64_t rows, int64_t dim,
               const NtXentOptions& options, Room room, void* stream) const override {
    cuda::nt_xent(result, gradient, embeddings, rows, dim, options, room.memory, room.bytes, on(stream));
  }

  size_t queue_bytes(const MomentumQueueOptions& options) const override {
    return cuda::queue_bytes(options);
  }
  void queue_restore(QueuePlace queue, const float* keys, const float* ages, const int64_t* ids,
                     int64_t length, int64_t next, void* stream) const override {
    cuda::queue_restore(queue_of(queue), keys, ages, ids, length, next, on(stream));
  }
  void queue_enqueue(QueuePlace queue, const float* keys, int64_t rows, const int64_t* ids,
                     void* stream) const override {
    cuda::queue_enqueue(queue_of(queue), keys, rows, ids, on(stream));
  }
  void queue_read(float* keys, float* ages, int64_t* ids, int64_t* length, QueuePlace queue,
                  void* stream) const override {
    cuda::queue_read(keys, ages, ids, length, queue_of(queue), on(stream));
  }
  size_t info_nce_room(const MomentumQueueOptions& queue, int64_t rows,
                       const InfoNceOptions& options) const override {
    return cuda::info_nce_workspace(queue, rows, options, true);
  }
  void info_nce(double* loss, float* gradient, const float* queries, const float* keys, int64_t rows,
                QueuePlace queue, const InfoNceOptions& options, Room room, void* stream) const override {
    cuda::info_nce(loss, gradient, queries, keys, rows, queue_of(queue), options, room.memory, room.bytes,
                   on(stream));
  }

  void ema_update(const EmaSpan* spans, int64_t count, double momentum, void* stream) const override {
    cuda::ema_update(spans, count, momentum, on(stream));
  }
  void dct_motion(float* out, const float* clip, int64_t frames, int64_t pixels,
                  const DctMotionOptions& options, void* stream) const override {
    cuda::dct_motion(out, clip, frames, pixels, options, on(stream));
  }

  size_t clips_room(const ClipsShape& shape) const override { return cuda::clips_workspace(shape); }
  void make_clips(void* out, const void* blocks, const int64_t* offsets, const ClipsShape& shape, Room room,
                  void* stream) const override {
    cuda::make_clips(out, blocks, offsets, shape, room.memory, room.bytes, on(stream));
  }

  size_t norm_room(const NormShape& shape) const override { return cuda::norm_workspace(shape); }
  void norm_moments(double* moments, const void* x, const NormShape& shape, Room room,
                    void* stream) const override {
    cuda::norm_moments(moments, x, shape, room.memory, room.bytes, on(stream));
  }
  void norm_forward(void* y, const NormStatistics& s, const void* x, NormAffine affine, const void* residual,
                    const NormShape& shape, const NormSettings& settings, void* stream) const override {
    if (s.moments)
      cuda::norm_forward(y, s.mean, s.inverse, s.running_mean, s.running_var, s.moments, s.rows, x,
                         affine.gamma, affine.beta, residual, shape, settings, on(stream));
    else
      cuda::norm_infer(y, s.mean, s.inverse, s.running_mean, s.running_var, x, affine.gamma, affine.beta,
                       residual, shape, settings, on(stream));
  }
  void norm_backward_sums(double* sums, const void* grad_y, const void* y, const void* x, const float* mean,
                          const NormShape& shape, Room room, void* stream) const override {
    cuda::norm_backward_sums(sums, grad_y, y, x, mean, shape, room.memory, room.bytes, on(stream));
  }
  void norm_backward(const NormGradients& g, const double* own_sums, const double* all_sums, int64_t rows,
                     const void* grad_y, const void* y, const void* x, const float* gamma, const float* mean,
                     const float* inverse, const NormShape& shape, void* stream) const override {
    cuda::norm_backward(g.x, g.residual, g.gamma, g.beta, own_sums, all_sums, rows, grad_y, y, x, gamma, mean,
                        inverse, shape, on(stream));
  }

  size_t square_sums_room(const SquareSpan* spans, int64_t count, int64_t outputs) const override {
    return cuda::square_sums_workspace(spans, count, outputs);
  }
  void square_sums(double* sums, int64_t outputs, const SquareSpan* spans, int64_t count, Room room,
                   void* stream) const override {
    cuda::square_sums(sums, outputs, spans, count, room.memory, room.bytes, on(stream));
  }
  void momentum_update(const MomentumSpan* spans, int64_t count, double momentum, bool nesterov,
                       const double* squares, void* stream) const override {
    cuda::momentum_update(spans, count, momentum, nesterov, squares, on(stream));
  }
  void adam_update(const AdamSpan* spans, int64_t count, const AdamSettings& settings,
                   void* stream) const override {
    cuda::adam_update(spans, count, settings, on(stream));
  }
};

// fp32 means fp32, and the same step gives the same bits: no convolution chosen by timing, none that adds up
// in a random order. What stays: libtorch's scatter and index operations with floating point sums, which no
// method's gradient takes.
void configure() {
  at::Context& context = at::globalContext();
  context.setBenchmarkCuDNN(false);
  context.setDeterministicCuDNN(true);
  context.setAllowTF32CuDNN(false);
  context.setAllowTF32CuBLAS(false);
}

std::string fault_of(int64_t index) {
  const EngineInfo facts = info();
  if (!facts.cuda_available) return facts.cuda_reason;
  const auto count = static_cast<int64_t>(facts.cuda_devices.size());
  if (index >= count) return "the GPUs here are numbered 0 to " + std::to_string(count - 1);
  static std::once_flag once;
  std::call_once(once, configure);
  return "";
}

}  // namespace

DeviceKind cuda_devices() {
  static const CudaKernels kernels;
  return {"cuda", at::kCUDA, &kernels, &fault_of};
}

}  // namespace vssl::engine
