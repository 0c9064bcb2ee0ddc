#include "../native/kernels/cuda/launch.h"
#include "../native/kernels/cuda/ptx_sm80.cuh"
#include "cuda_limits.h"

namespace {

using namespace vssl::cuda;

constexpr int kMmaRounds = 4096, kMmaChains = 8, kMmaThreads = 256;
constexpr int kFmaRounds = 16384, kFmaChains = 16, kFmaThreads = 1024;

// Eight chains a warp, so that no product waits for the one before.
__global__ void __launch_bounds__(kMmaThreads) only_mma(float* out, const float* in) {
  const int thread = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  uint32_t a[4], b[2];
  for (int i = 0; i < 4; ++i) a[i] = pack_bf16(in[thread * 12 + 2 * i], in[thread * 12 + 2 * i + 1]);
  for (int i = 0; i < 2; ++i) b[i] = pack_bf16(in[thread * 12 + 8 + 2 * i], in[thread * 12 + 9 + 2 * i]);
  float d[kMmaChains][4] = {};
  for (int round = 0; round < kMmaRounds; ++round) {
#pragma unroll
    for (int chain = 0; chain < kMmaChains; ++chain) multiply_16x8x16(d[chain], d[chain] + 2, a, b[0], b[1]);
  }
  float sum = 0;
  for (int chain = 0; chain < kMmaChains; ++chain)
    sum += d[chain][0] + d[chain][1] + d[chain][2] + d[chain][3];
  out[thread] = sum;
}

__global__ void __launch_bounds__(kFmaThreads) only_fma(float* out) {
  const int thread = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  float x[kFmaChains];
  for (int chain = 0; chain < kFmaChains; ++chain) x[chain] = static_cast<float>(thread + chain);
  for (int round = 0; round < kFmaRounds; ++round) {
#pragma unroll
    for (int chain = 0; chain < kFmaChains; ++chain) x[chain] = fmaf(x[chain], 0.999f, 0.25f);
  }
  float sum = 0;
  for (int chain = 0; chain < kFmaChains; ++chain) sum += x[chain];
  out[thread] = sum;
}

}  // namespace

void run_mma(float* out, const float* in, int processors, cudaStream_t stream) {
  LaunchShape shape = {};
  shape.grid = dim3(static_cast<unsigned>(4 * processors));
  shape.threads = kMmaThreads;
  launch("mma.sync alone", only_mma, shape, stream, out, in);
}

double mma_flops(int processors) {
  return 2.0 * 16 * 8 * 16 * kMmaRounds * kMmaChains * (kMmaThreads / 32) * 4 * processors;
}

void run_fma(float* out, int processors, cudaStream_t stream) {
  LaunchShape shape = {};
  shape.grid = dim3(static_cast<unsigned>(2 * processors));
  shape.threads = kFmaThreads;
  launch("multiply-adds alone", only_fma, shape, stream, out);
}

double fma_flops(int processors) { return 2.0 * kFmaRounds * kFmaChains * kFmaThreads * 2 * processors; }
