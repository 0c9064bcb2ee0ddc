// Times the CUDA kernels on the device it finds, and the limits that they run against, in one run. Prints
// lines of tab-separated values, for gpu.sh:
//
//   limit  NAME  VALUE  UNIT
//   time   CASE  WHO  REPLAY_US  CHAIN_US  COLD_US  BOUND_US  BOUND
//
// Each case is captured into CUDA graphs and timed with events: REPLAY_US is a call as one of many replays of
// a graph of one call, CHAIN_US a call within a graph of many, COLD_US one replay after the L2 cache was
// overwritten; medians all. BOUND_US is what the products or bytes alone would take at the measured limit.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "../native/kernels/cuda/clips_cuda.h"
#include "../native/kernels/cuda/kernels_cuda.h"
#include "../native/kernels/cuda/path.h"
#include "../native/kernels/cuda/training_cuda.h"
#include "cuda_limits.h"

namespace {

using namespace vssl;
using Work = std::function<void(cudaStream_t)>;

void must(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  std::fprintf(stderr, "%s: %s\n", what, cudaGetErrorString(status));
  std::exit(1);
}

// Uniform in -1..1 from a counter: another value for each i and seed.
__device__ float random_value(int64_t i, uint32_t seed) {
  uint64_t h = (static_cast<uint64_t>(seed) << 40 ^ static_cast<uint64_t>(i)) * 0x9e3779b97f4a7c15u;
  h = (h ^ h >> 31) * 0xbf58476d1ce4e5b9u;
  h ^= h >> 29;
  return static_cast<float>(h >> 40) * 0x1p-23f - 1.0f;
}

__global__ void fill_random(float* x, int64_t count, uint32_t seed) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step)
    x[i] = random_value(i, seed);
}

// The same as bf16.
__global__ void fill_random_bf16(uint16_t* x, int64_t count, uint32_t seed) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step)
    x[i] = static_cast<uint16_t>(__float_as_uint(random_value(i, seed)) >> 16);
}

class Memory {
 public:
  explicit Memory(std::size_t bytes) { must(cudaMalloc(&data_, bytes), "cudaMalloc"); }
  ~Memory() { cudaFree(data_); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  template <typename T = float>
  T* get() const {
    return static_cast<T*>(data_);
  }

 private:
  void* data_ = nullptr;
};

std::unique_ptr<Memory> random_floats(int64_t count, uint32_t seed) {
  auto memory = std::make_unique<Memory>(static_cast<std::size_t>(count) * sizeof(float));
  fill_random<<<1024, 256>>>(memory->get(), count, seed);
  must(cudaDeviceSynchronize(), "fill_random");
  return memory;
}

std::unique_ptr<Memory> random_bf16(int64_t count, uint32_t seed) {
  auto memory = std::make_unique<Memory>(static_cast<std::size_t>(count) * 2);
  fill_random_bf16<<<1024, 256>>>(memory->get<uint16_t>(), count, seed);
  must(cudaDeviceSynchronize(), "fill_random_bf16");
  return memory;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

class Bench {
 public:
  Bench() : flush_(kFlushBytes) {
    must(cudaStreamCreate(&stream_), "cudaStreamCreate");
    must(cudaEventCreate(&begin_), "cudaEventCreate");
    must(cudaEventCreate(&end_), "cudaEventCreate");
  }

  struct Times {
    double replay, chain, cold;  // microseconds
  };

  // `budget_us` bounds each of the three measurements.
  Times run(const Work& work, double budget_us = 150000) {
    cudaGraphExec_t one = capture(work, 1);
    replay(one, 3);
    const double once = std::max(1.0, replay(one, 1));
    const int repeats = static_cast<int>(std::clamp(budget_us / 15 / once, 1.0, 50.0));
    cudaGraphExec_t many = capture(work, repeats);
    replay(many, 1);
    const int samples = static_cast<int>(std::clamp(budget_us / once / repeats, 3.0, 31.0));
    std::vector<double> replays, chains, colds;
    for (int i = 0; i < samples; ++i) {
      replays.push_back(replay(one, repeats) / repeats);
      chains.push_back(replay(many, 1) / repeats);
      must(cudaMemsetAsync(flush_.get(), i, kFlushBytes, stream_), "cudaMemsetAsync");
      colds.push_back(replay(one, 1));
    }
    must(cudaGraphExecDestroy(one), "cudaGraphExecDestroy");
    must(cudaGraphExecDestroy(many), "cudaGraphExecDestroy");
    return {median(replays), median(chains), median(colds)};
  }

 private:
  static constexpr std::size_t kFlushBytes = std::size_t{256} << 20;

  cudaGraphExec_t capture(const Work& work, int repeats) {
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t executable = nullptr;
    must(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeGlobal), "cudaStreamBeginCapture");
    for (int i = 0; i < repeats; ++i) work(stream_);
    must(cudaStreamEndCapture(stream_, &graph), "cudaStreamEndCapture");
    must(cudaGraphInstantiate(&executable, graph, 0), "cudaGraphInstantiate");
    must(cudaGraphDestroy(graph), "cudaGraphDestroy");
    return executable;
  }

  double replay(cudaGraphExec_t graph, int times) {
    must(cudaEventRecord(begin_, stream_), "cudaEventRecord");
    for (int i = 0; i < times; ++i) must(cudaGraphLaunch(graph, stream_), "cudaGraphLaunch");
    must(cudaEventRecord(end_, stream_), "cudaEventRecord");
    must(cudaEventSynchronize(end_), "a graph");
    float milliseconds = 0;
    must(cudaEventElapsedTime(&milliseconds, begin_, end_), "cudaEventElapsedTime");
    return milliseconds * 1000.0;
  }

  Memory flush_;
  cudaStream_t stream_ = nullptr;
  cudaEvent_t begin_ = nullptr, end_ = nullptr;
};

double flops_limit = 0, fp32_limit = 0, bytes_limit = 0;  // a second

void measure_limits(Bench& bench) {
  const int64_t bytes = int64_t{1} << 30;
  const auto from = random_floats(bytes / 4, 1);
  Memory to(static_cast<std::size_t>(bytes));
  const double copy =
      bench
          .run([&](cudaStream_t stream) {
            must(cudaMemcpyAsync(to.get(), from->get(), bytes, cudaMemcpyDeviceToDevice, stream),
                 "cudaMemcpyAsync");
          })
          .replay;
  bytes_limit = 2.0 * static_cast<double>(bytes) / copy * 1e6;
  int processors = 0;
  must(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, 0), "cudaDeviceGetAttribute");
  const bool hopper = cuda::selected_path() == cuda::Path::kHopper;
  const auto products = [&](Work work, double flops) { return flops / bench.run(work).replay * 1e6; };
  const double mma =
      products([&](cudaStream_t stream) { run_mma(to.get(), from->get(), processors, stream); },
               mma_flops(processors));
  const double wgmma =
      hopper ? products([&](cudaStream_t stream) { run_wgmma(to.get(), from->get(), processors, stream); },
                        wgmma_flops(processors))
             : 0;
  fp32_limit =
      products([&](cudaStream_t stream) { run_fma(to.get(), processors, stream); }, fma_flops(processors));
  flops_limit = std::max(mma, wgmma);
  std::printf("limit\tdevice copy, read + write\t%.0f\tGB/s\n", bytes_limit / 1e9);
  std::printf("limit\tbf16 products alone, mma.sync\t%.1f\tTFLOP/s\n", mma / 1e12);
  if (hopper) std::printf("limit\tbf16 products alone, wgmma\t%.1f\tTFLOP/s\n", wgmma / 1e12);
  std::printf("limit\tfp32 multiply-adds alone\t%.1f\tTFLOP/s\n", fp32_limit / 1e12);
  std::fflush(stdout);
}

void report(Bench& bench, const std::string& name, const std::string& who, const Work& work, double flops,
            double rate, double bytes) {
  const Bench::Times times = bench.run(work, flops > 1e11 ? 600000 : 150000);
  const double of_flops = flops / rate * 1e6, of_bytes = bytes / bytes_limit * 1e6;
  std::printf("time\t%s\t%s\t%.2f\t%.2f\t%.2f\t%.2f\t%s\n", name.c_str(), who.c_str(), times.replay,
              times.chain, times.cold, std::max(of_flops, of_bytes),
              of_flops > of_bytes ? "products" : "bytes");
  std::fflush(stdout);
}

void bench_nt_xent(Bench& bench, int64_t rows, const std::string& path, Precision precision, bool gradient) {
  const int64_t dim = 128;
  NtXentOptions options;
  options.precision = precision;
  const std::size_t bytes = cuda::nt_xent_workspace(rows, dim, options, gradient);
  const auto x = random_floats(rows * dim, 2);
  Memory g(rows * dim * sizeof(float)), workspace(bytes), result(sizeof(NtXentResult));
  const double n = static_cast<double>(rows), d = static_cast<double>(dim);
  const bool bf16 = precision == Precision::kBf16;
  report(
      bench,
      "NT-Xent rows " + std::to_string(rows) + " dim 128" + (gradient ? "" : ", loss only") +
          (bf16 ? " bf16" : " fp32"),
      "ours, " + path + ", workspace " + std::to_string(bytes >> 20) + " MB",
      [&](cudaStream_t stream) {
        cuda::nt_xent(result.get<NtXentResult>(), gradient ? g.get() : nullptr, x->get(), rows, dim, options,
                      workspace.get<void>(), bytes, stream);
      },
      (gradient ? 4 : 1) * n * n * d, bf16 ? flops_limit : fp32_limit, (gradient ? 3 : 1) * n * d * 4);
}

void bench_queue(Bench& bench, const std::string& path, Precision precision) {
  MomentumQueueOptions options;
  options.decay = 0.99999;
  const int64_t rows = 256;
  Memory memory(cuda::queue_bytes(options));
  const cuda::DeviceQueue ring{options, memory.get<void>()};
  cuda::queue_restore(ring, nullptr, nullptr, nullptr, 0, 0, nullptr);
  const auto fresh = random_floats(4096 * options.dim, 3);
  for (int64_t done = 0; done < options.capacity + 8192; done += 4096)
    cuda::queue_enqueue(ring, fresh->get(), 4096, nullptr, nullptr);
  must(cudaDeviceSynchronize(), "queue_enqueue");
  InfoNceOptions loss_options;
  loss_options.precision = precision;
  const std::size_t bytes = cuda::info_nce_workspace(options, rows, loss_options, true);
  const auto q = random_floats(rows * options.dim, 4), k = random_floats(rows * options.dim, 5);
  Memory g(rows * options.dim * sizeof(float)), workspace(bytes), loss(sizeof(double));
  const bool bf16 = precision == Precision::kBf16;
  const double products = static_cast<double>(rows) * static_cast<double>(options.capacity * options.dim);
  report(
      bench, std::string("queue N 256 K 65536 dim 128, decay") + (bf16 ? " bf16" : " fp32"), "ours, " + path,
      [&](cudaStream_t stream) {
        cuda::info_nce(loss.get<double>(), g.get(), q->get(), k->get(), rows, ring, loss_options,
                       workspace.get<void>(), bytes, stream);
      },
      4 * products, bf16 ? flops_limit : fp32_limit,
      static_cast<double>(options.capacity * options.dim) * (bf16 ? 2 : 4));
}

void bench_ema(Bench& bench) {
  // As many parameters and tensors as an R3D-18 has.
  const int64_t tensors = 62, size = 33400000 / tensors / 4 * 4;
  const auto target = random_floats(tensors * size, 6), source = random_floats(tensors * size, 7);
  std::vector<EmaSpan> spans;
  for (int64_t i = 0; i < tensors; ++i)
    spans.push_back({target->get() + i * size, source->get() + i * size, size});
  report(
      bench, "EMA of 33.4 M floats in 62 tensors", "ours",
      [&](cudaStream_t stream) { cuda::ema_update(spans.data(), tensors, 0.996, stream); }, 0, 1,
      12.0 * static_cast<double>(tensors * size));
}

void bench_dct(Bench& bench, int64_t frames) {
  const int64_t pixels = 64 * 3 * 112 * 112;
  const auto clip = random_floats(frames * pixels, 8);
  Memory out(frames * pixels * sizeof(float));
  const std::string size = " T " + std::to_string(frames) + " x 64 clips of 3 x 112 x 112";
  const double count = static_cast<double>(frames * pixels);
  report(
      bench, "DCT" + size + ", float", "ours",
      [&](cudaStream_t stream) { cuda::dct(out.get(), clip->get(), frames, pixels, {}, stream); }, 0, 1,
      8 * count);
  report(
      bench, "DCT" + size + ", uint8", "ours",
      [&](cudaStream_t stream) { cuda::dct(out.get(), clip->get<uint8_t>(), frames, pixels, {}, stream); }, 0,
      1, 5 * count);
  report(
      bench, "DCT motion" + size + ", uint8", "ours",
      [&](cudaStream_t stream) {
        cuda::dct_motion(out.get(), clip->get<uint8_t>(), frames, pixels, {}, stream);
      },
      0, 1, 5 * count);
}

// The four passes of a BatchNorm with ReLU and residual over activations of an R3D-18, 32 clips.
void bench_norm(Bench& bench, const std::string& extent, int64_t rows, int64_t channels) {
  const NormShape shape{rows, channels, Element::kBf16};
  const int64_t count = rows * channels;
  const auto x = random_bf16(count, 9), residual = random_bf16(count, 10), grad_y = random_bf16(count, 11);
  const auto gamma = random_floats(channels, 12), beta = random_floats(channels, 13);
  const std::size_t bytes = cuda::norm_workspace(shape), row = static_cast<std::size_t>(channels) * 4;
  Memory y(count * 2), grad_x(count * 2), grad_residual(count * 2), workspace(bytes), sums(4 * row);
  Memory mean(row), inverse(row), grad_gamma(row), grad_beta(row);
  NormSettings settings;
  settings.relu = true;
  // `passes`: values read and written for each of the activation's
  const auto time = [&](const std::string& what, double passes, const Work& work) {
    report(bench, "BatchNorm bf16 " + extent + ", " + what, "ours", work, 0, 1,
           2 * passes * static_cast<double>(count));
  };
  time("moments", 1, [&](cudaStream_t stream) {
    cuda::norm_moments(sums.get<double>(), x->get<void>(), shape, workspace.get<void>(), bytes, stream);
  });
  time("forward, ReLU, residual", 3, [&](cudaStream_t stream) {
    cuda::norm_forward(y.get<void>(), mean.get(), inverse.get(), nullptr, nullptr, sums.get<double>(), rows,
                       x->get<void>(), gamma->get(), beta->get(), residual->get<void>(), shape, settings,
                       stream);
  });
  time("backward sums", 3, [&](cudaStream_t stream) {
    cuda::norm_backward_sums(sums.get<double>(), grad_y->get<void>(), y.get<void>(), x->get<void>(),
                             mean.get(), shape, workspace.get<void>(), bytes, stream);
  });
  time("backward, residual", 5, [&](cudaStream_t stream) {
    cuda::norm_backward(grad_x.get<void>(), grad_residual.get<void>(), grad_gamma.get(), grad_beta.get(),
                        sums.get<double>(), sums.get<double>(), rows, grad_y->get<void>(), y.get<void>(),
                        x->get<void>(), gamma->get(), mean.get(), inverse.get(), shape, stream);
  });
}

// As many parameters and tensors as an R3D-18 has.
void bench_updates(Bench& bench) {
  const int64_t tensors = 62, size = 33400000 / tensors / 4 * 4;
  const auto p = random_floats(tensors * size, 14), g = random_floats(tensors * size, 15);
  const auto a = random_floats(tensors * size, 16), b = random_floats(tensors * size, 17);
  std::vector<MomentumSpan> momentum;
  std::vector<AdamSpan> adam;
  std::vector<SquareSpan> squares;
  for (int64_t i = 0; i < tensors; ++i) {
    const int64_t at = i * size;
    momentum.push_back({p->get() + at, a->get() + at, g->get() + at, size, 1, 1e-3f, 1e-4f, 1});
    adam.push_back({p->get() + at, a->get() + at, b->get() + at, g->get() + at, size, 1, 1, 1e-3f, 1});
    squares.push_back({g->get() + at, nullptr, size, 1, 0, 0});
  }
  const std::size_t bytes = cuda::square_sums_workspace(squares.data(), tensors, 1);
  Memory workspace(bytes), sum(sizeof(double));
  const auto time = [&](const std::string& what, double passes, const Work& work) {
    report(bench, what + " of 33.4 M floats in 62 tensors", "ours", work, 0, 1,
           4 * passes * static_cast<double>(tensors * size));
  };
  time("sum of squares", 1, [&](cudaStream_t stream) {
    cuda::square_sums(sum.get<double>(), 1, squares.data(), tensors, workspace.get<void>(), bytes, stream);
  });
  time("momentum", 5, [&](cudaStream_t stream) {
    cuda::momentum_update(momentum.data(), tensors, 0.9, false, nullptr, stream);
  });
  time("AdamW", 7, [&](cudaStream_t stream) {
    cuda::adam_update(adam.data(), tensors, {0.9f, 0, 1e-8f}, stream);  // beta2 0: b is no square yet
  });
}

// 32 clips of 4:2:0 pictures somewhat larger than what is seen of them, with CVRL's operations.
void bench_clips(Bench& bench) {
  constexpr int kSide = 112, kLuma = 120, kClips = 32, kFrames = 16;
  std::vector<uint8_t> block, samples(kLuma * kLuma);
  ClipBlock writer(block);
  ClipHeader h{kFrames, kSide, kSide, ClipInput::kRgb, 1, {4, 4, 4}, {-2, -2, -2}, {4, 4, 4}, 0};
  writer.add(&h, 1);
  const ClipOp ops[] = {{ClipOpKind::kBrightness, 1.1f},
                        {ClipOpKind::kContrast, 0.9f},
                        {ClipOpKind::kSaturation, 0.8f},
                        {ClipOpKind::kHue, 0.3f}};
  const float taps[] = {0.4f, 0.24f, 0.05f, 0.01f, 0, 0};
  const int64_t op_list = writer.add(ops, 4), tap_list = writer.add(taps, 6);
  const auto axis = [&](int count) {
    int32_t index[kSide];
    float weight[kSide];
    for (int i = 0; i < kSide; ++i) index[i] = i * (count - 1) / kSide, weight[i] = 0.3f;
    return writer.add_axis(index, weight, kSide);
  };
  const int64_t luma = axis(kLuma), chroma = axis(kLuma / 2);
  std::vector<ClipFrame> frames;
  for (int t = 0; t < kFrames; ++t) {
    ClipFrame f{};
    f.colors = ClipColors::kYuv;
    f.luma = 1.0f / 255, f.rv = 0.0055f, f.gu = -0.0013f, f.gv = -0.0028f, f.bu = 0.0069f;
    f.op_count = 4, f.op_list = op_list;
    f.taps = tap_list, f.blur_radius = 5;
    for (int p = 0; p < 3; ++p) {
      const int side = p == 0 ? kLuma : kLuma / 2;
      const int64_t table = p == 0 ? luma : chroma;
      for (uint8_t& s : samples) s = static_cast<uint8_t>(s * 77 + 31 * t + p + 1);
      f.plane[p] = {writer.add_samples(samples.data(), side, side, side), table, table, side, side};
    }
    frames.push_back(f);
  }
  h.frame_list = writer.add(frames.data(), kFrames);
  writer.put(0, h);
  Memory there(block.size()), begins(kClips * sizeof(int64_t));
  must(cudaMemcpy(there.get<void>(), block.data(), block.size(), cudaMemcpyHostToDevice), "cudaMemcpy");
  must(cudaMemset(begins.get<void>(), 0, kClips * sizeof(int64_t)), "cudaMemset");  // all the same clip
  const ClipsShape shape{kClips, kFrames, kSide, kSide, 1, true, Element::kBf16};
  const std::size_t bytes = cuda::clips_workspace(shape);
  const double pixels = 1.0 * kClips * kFrames * kSide * kSide;
  Memory workspace(bytes), out(static_cast<std::size_t>(pixels) * 6);
  report(
      bench, "32 clips of 16 x 112 x 112, colours and blur, bf16", "ours",
      [&](cudaStream_t stream) {
        cuda::make_clips(out.get<void>(), there.get<void>(), begins.get<int64_t>(), shape,
                         workspace.get<void>(), bytes, stream);
      },
      0, 1, pixels * (12 + 12 + 24 + 24 + 24 + 12 + 6));
}

}  // namespace

int main() {
  try {
    unsetenv("VSSL_CUDA_PATH");
    const bool hopper = cuda::selected_path() == cuda::Path::kHopper;
    Bench bench;
    measure_limits(bench);
    std::vector<std::string> paths = {"portable"};
    if (hopper) paths.insert(paths.begin(), "hopper");
    for (int64_t rows : {256, 1024, 4096, 65536}) {
      for (const std::string& path : paths) {
        setenv("VSSL_CUDA_PATH", path.c_str(), 1);
        for (bool gradient : {true, false}) bench_nt_xent(bench, rows, path, Precision::kBf16, gradient);
        if (path == "portable" && rows <= 4096) bench_nt_xent(bench, rows, path, Precision::kFp32, true);
      }
    }
    for (const std::string& path : paths) {
      setenv("VSSL_CUDA_PATH", path.c_str(), 1);
      bench_queue(bench, path, Precision::kBf16);
      if (path == "portable") bench_queue(bench, path, Precision::kFp32);
    }
    bench_ema(bench);
    for (int64_t frames : {16, 64}) bench_dct(bench, frames);
    bench_norm(bench, "32 x 16 x 56 x 56 x 64", int64_t{32} * 16 * 56 * 56, 64);
    bench_norm(bench, "32 x 8 x 28 x 28 x 128", int64_t{32} * 8 * 28 * 28, 128);
    bench_norm(bench, "32 x 2 x 7 x 7 x 512", int64_t{32} * 2 * 7 * 7, 512);
    bench_updates(bench);
    bench_clips(bench);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
