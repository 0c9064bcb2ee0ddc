// Kernels that do nothing but what a limit is made of: bf16 products and fp32 multiply-adds, on random data.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

/// Products of mma.sync, wgmma (compute capability 9.0 alone), fused multiply-adds: one launch, and its FLOP.
/// `in` has 1 MB of random floats or more; `out` is written a little.
void run_mma(float* out, const float* in, int processors, cudaStream_t stream);
double mma_flops(int processors);
void run_wgmma(float* out, const float* in, int processors, cudaStream_t stream);
double wgmma_flops(int processors);
void run_fma(float* out, int processors, cudaStream_t stream);
double fma_flops(int processors);
