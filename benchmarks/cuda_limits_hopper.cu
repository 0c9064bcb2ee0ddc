#include "../native/kernels/cuda/hopper_stream.cuh"
#include "../native/kernels/cuda/launch.h"
#include "cuda_limits.h"

namespace {

using namespace vssl::cuda;

constexpr int kRounds = 2048;
constexpr uint32_t kPanelBytes = 2 * kBlockBytes;

// Two warpgroups, each 64 x 128 x 128 a round, on operands that stay in shared memory.
__global__ void __launch_bounds__(256, 1) only_wgmma(float* out, const float* in) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  const uint32_t tiles = tiles_address();
  unsigned char* const memory = shared_memory() + (tiles - shared_address(shared_memory()));
  for (uint32_t i = threadIdx.x; i < 2 * kPanelBytes / 4; i += 256)
    reinterpret_cast<uint32_t*>(memory)[i] = pack_bf16(in[2 * i], in[2 * i + 1]);
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");  // wgmma reads what ordinary stores wrote
  __syncthreads();
  float s[kTileFloats];
#pragma unroll
  for (int i = 0; i < kTileFloats; ++i) s[i] = 0;
  const uint32_t rows = tiles + threadIdx.x / 128 * (64 * kRowBytes);
  keep_in_place(s);
  for (int round = 0; round < kRounds; ++round) {
    issue_similarity<2>(s, rows, tiles + kPanelBytes);
    products_wait<1>();
  }
  products_wait<0>();
  keep_in_place(s);
  float sum = 0;
#pragma unroll
  for (int i = 0; i < kTileFloats; ++i) sum += s[i];
  out[blockIdx.x * 256 + threadIdx.x] = sum;
#endif
}

}  // namespace

void run_wgmma(float* out, const float* in, int processors, cudaStream_t stream) {
  LaunchShape shape = {};
  shape.grid = dim3(static_cast<unsigned>(processors));
  shape.threads = 256;
  shape.shared_bytes = kTilesOffset + 1024 + 2 * kPanelBytes;
  launch("wgmma alone", only_wgmma, shape, stream, out, in);
}

double wgmma_flops(int processors) { return 2.0 * 2 * 64 * 128 * 128 * kRounds * processors; }
