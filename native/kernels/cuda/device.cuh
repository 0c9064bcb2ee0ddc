// What every kernel needs of the device: launch qualifiers, lane sums, exp2, pairs of bf16, ticket counters.
//
// Tests run these kernels on the CPU as well: with VSSL_CUDA_EMULATED an emulation, included before this
// file, brings everything that <cuda_runtime.h> and PTX bring here.
#pragma once

#include <cstdint>

#ifndef VSSL_CUDA_EMULATED
#include <cuda_runtime.h>
#endif

namespace vssl::cuda {

constexpr int kWarp = 32;
constexpr float kFltMax = 3.402823466e38f;
constexpr double kLog2E = 1.4426950408889634074;
constexpr double kLn2 = 0.69314718055994530942;
constexpr double kNormEps = 1e-12;  // as F.normalize

#ifndef VSSL_CUDA_EMULATED

/// The block's dynamic shared memory.
inline __device__ unsigned char* shared_memory() {
  extern __shared__ __align__(1024) unsigned char memory[];
  return memory;
}

/// Address of shared memory as PTX wants it.
inline __device__ uint32_t shared_address(const void* p) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(p));
}

/// 2^x, relative error 2^-22; below 2^-126 it is 0. NaN stays NaN.
inline __device__ float exp2_fast(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

/// Two floats rounded to nearest even bf16, `low` in the low half.
inline __device__ uint32_t pack_bf16(float low, float high) {
  uint32_t pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}

/// Two floats rounded to nearest even fp16, `low` in the low half.
inline __device__ uint32_t pack_half(float low, float high) {
  uint32_t pair;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}

/// The value of an fp16.
inline __device__ float of_half(uint16_t bits) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
  return value;
}

/// For kernels launched with LaunchShape::overlaps: lets the stream's next kernel get ready, and waits until
/// all that came before has ended. To be called before global memory is touched.
inline __device__ void take_over() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

#endif

inline __device__ float quiet_nan() { return __int_as_float(0x7fc00000); }

/// Sum over groups of kLanes neighbouring lanes, a power of two; every lane gets the same bits.
template <int kLanes = kWarp, typename T>
inline __device__ T lane_sum(T x) {
#pragma unroll
  for (int lane = kLanes / 2; lane > 0; lane /= 2) x += __shfl_xor_sync(0xffffffffu, x, lane);
  return x;
}

template <int kLanes>
inline __device__ float lane_max(float x) {
#pragma unroll
  for (int lane = kLanes / 2; lane > 0; lane /= 2) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, lane));
  return x;
}

/// Shared memory for block_sum() and a flag.
constexpr int kScratchBytes = kWarp * 8 + 8;

/// Sum over the block's threads in a fixed order; thread 0 gets it. `scratch` is one double a warp of shared
/// memory.
inline __device__ double block_sum(double x, double* scratch) {
  x = lane_sum(x);
  __syncthreads();
  if (threadIdx.x % kWarp == 0) scratch[threadIdx.x / kWarp] = x;
  __syncthreads();
  double sum = 0;
  if (threadIdx.x == 0) {
    for (unsigned warp = 0; warp < blockDim.x / kWarp; ++warp) sum += scratch[warp];
  }
  return sum;
}

/// Counts the block at `counter`; true in all threads of the block that comes last of `expected`, which then
/// sees what the others wrote before (read it with __ldcg). The counter must start at 0. Integers: whoever is
/// last, the sums that follow are taken in the same order.
inline __device__ bool arrives_last(int* counter, int expected, int* flag) {
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) *flag = atomicAdd(counter, 1) == expected - 1;
  __syncthreads();
  const bool last = *flag != 0;
  if (last) __threadfence();
  return last;
}

}  // namespace vssl::cuda
