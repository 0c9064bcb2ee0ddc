// A recording of a device's work as a CUDA graph. A part of the CUDA build alone.
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include "kernels.h"

namespace vssl::engine {

namespace {

class CudaGraph final : public DeviceGraph {
 public:
  explicit CudaGraph(at::Device device) : device_(device) {}

  std::vector<Tensor> record(const std::function<std::vector<Tensor>()>& work) override {
    const c10::cuda::CUDAStream now = c10::cuda::getCurrentCUDAStream(device_.index());
    const c10::cuda::CUDAStream side = c10::cuda::getStreamFromPool(false, device_.index());
    wait(side, now);
    std::vector<Tensor> outputs;
    {
      const c10::cuda::CUDAStreamGuard guard(side);
      // Other threads copy clips to the device meanwhile: their calls are not this recording's.
      graph_.capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal);
      try {
        outputs = work();
      } catch (...) {
        abandon();
        throw;
      }
      graph_.capture_end();
    }
    wait(now, side);
    graph_.replay();  // recording does nothing yet
    return outputs;
  }

  void replay() override { graph_.replay(); }

 private:
  static void wait(const c10::cuda::CUDAStream& waiting, const c10::cuda::CUDAStream& other) {
    c10::Event event(at::kCUDA);
    event.record(other.unwrap());
    event.block(waiting.unwrap());
  }
  // The stream must not stay in recording; what went wrong is said by the error that is under way.
  void abandon() {
    try {
      graph_.capture_end();
    } catch (const std::exception&) {
    }
  }

  const at::Device device_;
  at::cuda::CUDAGraph graph_;
};

}  // namespace

std::unique_ptr<DeviceGraph> cuda_graph(at::Device device) { return std::make_unique<CudaGraph>(device); }

}  // namespace vssl::engine
