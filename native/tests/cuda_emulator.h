// Runs CUDA kernels on the CPU, so that their indices, barriers and protocols can be tested without a GPU.
// Included before a kernel's source; with VSSL_CUDA_EMULATED the kernels take from here what they otherwise
// take from <cuda_runtime.h>. The Hopper instructions are in cuda_emulator_sm90.h.
//
// A thread of a block is a fiber; all fibers of a cluster take turns on one CPU thread and switch where they
// wait. What is asynchronous on the device happens here at the earliest or at the latest moment that the
// rules allow, and turns go forward, backward or unevenly (Settings): a missing barrier or wait shows as a
// wrong result in one of the ways. Shared memory starts as NaN. A cluster whose threads all wait throws.
//
// This tests the kernels against the semantics of the instructions as written down here, from the PTX manual;
// that the device means the same, only a device can tell.
#pragma once

#define VSSL_CUDA_EMULATED

#include <math.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "half.h"

#define __device__
#define __host__
#define __global__
#define __grid_constant__
#define __launch_bounds__(...)

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

namespace vssl::emulator {

struct Settings {
  // Asynchronous work happens when somebody waits for it, not when it is issued.
  bool late_copies = false;
  bool late_products = false;
  bool backward = false;     ///< turns go from the last thread to the first
  bool uneven = false;       ///< one warp after the other misses its turns for a while
  int major = 8, minor = 0;  ///< compute capability
};
inline Settings settings;

struct Block;

/// Lanes or threads that must all come before any may go on.
struct Rendezvous {
  int arrived = 0;
  unsigned generation = 0;
  const char* what = nullptr;
};

struct Warp : Rendezvous {
  int live = 0;
  void* slots[32] = {};
};

struct Warpgroup : Rendezvous {
  void* slots[128] = {};
  std::deque<std::vector<std::function<void()>>> groups;  // of asynchronous products, oldest first
  std::vector<std::function<void()>> open;                // not committed yet
};

struct Thread {
  dim3 index;
  int linear = 0;
  Block* block = nullptr;
  Warp* warp = nullptr;
  void* stack_pointer = nullptr;
  bool done = false;
  std::vector<std::function<void()>> copies;  // cp.async not waited for yet
};

struct Block {
  dim3 index, size, grid;
  int rank = 0;  // in its cluster
  int live = 0;
  std::vector<Warp> warps;
  std::vector<Warpgroup> warpgroups;
  Rendezvous all;
  int all_and = 1, all_result = 1;
  Rendezvous named[16];
  unsigned char* shared = nullptr;
  std::size_t shared_bytes = 0;
};

struct Cluster {
  std::vector<std::unique_ptr<Block>> blocks;
  std::vector<Thread> threads;
  Rendezvous all;
  std::deque<std::pair<void*, std::function<void()>>> bulk;  // late copies by the barrier they complete on
};

inline Thread* current = nullptr;
inline Cluster* cluster = nullptr;
inline void* scheduler_stack_pointer = nullptr;
inline int64_t idle_turns = 0;  // since anything last moved on

[[noreturn]] inline void fail(const std::string& what) {
  // Thrown through a foreign stack it would not unwind: say it and end.
  std::printf("FAILED emulation, block %u thread %d: %s\n", current ? current->block->index.x : 0,
              current ? current->linear : 0, what.c_str());
  std::fflush(stdout);
  std::abort();
}

extern "C" void vssl_emulator_switch(void** save, void* to);

/// Lets the next thread have its turn.
inline void yield() {
  if (++idle_turns > 4000 * static_cast<int64_t>(cluster->threads.size())) fail("all threads wait");
  vssl_emulator_switch(&current->stack_pointer, scheduler_stack_pointer);
}

template <typename Ready>
void wait_until(Ready&& ready) {
  while (!ready()) yield();
  idle_turns = 0;
}

/// Arrives; true for whoever comes last of `expected`, who must do the common work and then release().
inline bool arrive(Rendezvous& r, int expected, const char* what) {
  if (r.arrived == 0) r.what = what;
  if (std::strcmp(r.what, what) != 0) fail(std::string(what) + " meets " + r.what);
  idle_turns = 0;
  if (++r.arrived < expected) {
    const unsigned before = r.generation;
    wait_until([&] { return r.generation != before; });
    return false;
  }
  return true;
}

inline void release(Rendezvous& r) {
  r.arrived = 0;
  ++r.generation;
}

/// A warp's common operation: `work` runs once, on the values that all lanes brought.
template <typename T, typename Work>
void warp_together(const char* what, T& mine, Work&& work) {
  Warp& warp = *current->warp;
  warp.slots[current->linear % 32] = &mine;
  if (!arrive(warp, warp.live, what)) return;
  T* lanes[32] = {};
  for (int lane = 0; lane < 32; ++lane) lanes[lane] = static_cast<T*>(warp.slots[lane]);
  work(lanes);
  release(warp);
}

inline unsigned char* shared_at(uint32_t address, std::size_t bytes) {
  const std::size_t rank = address >> 24, offset = address & 0xffffff;
  if (rank >= cluster->blocks.size() || offset + bytes > cluster->blocks[rank]->shared_bytes)
    fail("shared memory out of bounds");
  return cluster->blocks[rank]->shared + offset;
}

inline float of_bf16(uint32_t bits) {
  bits <<= 16;
  float x;
  std::memcpy(&x, &bits, 4);
  return x;
}

void run_cluster(const std::function<void()>& kernel, dim3 first, dim3 grid, dim3 block, int size,
                 std::size_t shared_bytes);

}  // namespace vssl::emulator

inline dim3 threadIdx, blockIdx, blockDim, gridDim;  // of the thread whose turn it is

inline void __syncthreads() {
  using namespace vssl::emulator;
  Block& block = *current->block;
  if (arrive(block.all, block.live, "__syncthreads")) release(block.all);
}

inline int __syncthreads_and(int value) {
  using namespace vssl::emulator;
  Block& block = *current->block;
  block.all_and = block.all_and && value;
  if (arrive(block.all, block.live, "__syncthreads_and")) {
    block.all_result = block.all_and;
    block.all_and = 1;
    release(block.all);
  }
  return block.all_result;
}

template <typename T>
T __shfl_xor_sync(unsigned, T x, int lane_mask) {
  struct Both {
    T in, out;
  } both{x, x};
  vssl::emulator::warp_together("shuffle", both, [&](Both** lanes) {
    for (int lane = 0; lane < 32; ++lane) {
      if (lanes[lane] != nullptr) lanes[lane]->out = lanes[lane ^ lane_mask]->in;
    }
  });
  return both.out;
}

inline void __syncwarp() {
  int nothing = 0;
  vssl::emulator::warp_together("__syncwarp", nothing, [](int**) {});
}

inline void __threadfence() {}

inline int atomicAdd(int* place, int value) {
  const int before = *place;
  *place += value;
  return before;
}

template <typename T>
T __ldg(const T* p) {
  return *p;
}
template <typename T>
T __ldcg(const T* p) {
  return *p;
}

inline float __int_as_float(int bits) {
  float x;
  std::memcpy(&x, &bits, 4);
  return x;
}

inline double cospi(double x) { return cos(3.14159265358979323846 * x); }

inline float __uint_as_float(uint32_t bits) { return __int_as_float(static_cast<int>(bits)); }

inline uint32_t __float_as_uint(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  return bits;
}

namespace vssl::cuda {

inline unsigned char* shared_memory() { return emulator::current->block->shared; }

inline uint32_t shared_address(const void* p) {
  const emulator::Block& block = *emulator::current->block;
  const auto offset = static_cast<const unsigned char*>(p) - block.shared;
  return static_cast<uint32_t>(block.rank) << 24 | static_cast<uint32_t>(offset);
}

inline void take_over() {}

inline float exp2_fast(float x) { return x < -126 ? 0.0f : exp2f(x); }

inline uint32_t round_bf16(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  if (x != x) return 0x7fff;
  return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

inline uint32_t pack_bf16(float low, float high) { return round_bf16(low) | round_bf16(high) << 16; }

inline uint32_t pack_half(float low, float high) {
  return half_of(low) | static_cast<uint32_t>(half_of(high)) << 16;
}

inline float of_half(uint16_t bits) { return value_of_half(bits); }

inline void copy_async16(uint32_t to_shared, const void* from_global) {
  using namespace emulator;
  if (to_shared % 16 != 0 || reinterpret_cast<std::uintptr_t>(from_global) % 16 != 0)
    fail("cp.async is not aligned");
  const auto copy = [=] { std::memcpy(shared_at(to_shared, 16), from_global, 16); };
  if (settings.late_copies) {
    current->copies.push_back(copy);
  } else {
    copy();
  }
}

inline void copies_done() {
  for (const auto& copy : emulator::current->copies) copy();
  emulator::current->copies.clear();
}

struct MatrixLoad {
  uint32_t address;
  uint32_t* m;
};

inline void load_matrices_as(uint32_t (&m)[4], uint32_t row_address, bool transposed) {
  using namespace emulator;
  if (row_address % 16 != 0) fail("ldmatrix is not aligned");
  MatrixLoad mine{row_address, m};
  warp_together("ldmatrix", mine, [&](MatrixLoad** lanes) {
    for (int matrix = 0; matrix < 4; ++matrix) {
      uint16_t values[8][8];
      for (int row = 0; row < 8; ++row)
        std::memcpy(values[row], shared_at(lanes[matrix * 8 + row]->address, 16), 16);
      for (int lane = 0; lane < 32; ++lane) {
        const int a = lane / 4, b = lane % 4 * 2;
        const uint32_t low = transposed ? values[b][a] : values[a][b];
        const uint32_t high = transposed ? values[b + 1][a] : values[a][b + 1];
        lanes[lane]->m[matrix] = low | high << 16;
      }
    }
  });
}

inline void load_matrices(uint32_t (&m)[4], uint32_t row_address) { load_matrices_as(m, row_address, false); }
inline void load_matrices_transposed(uint32_t (&m)[4], uint32_t row_address) {
  load_matrices_as(m, row_address, true);
}

struct Multiply {
  float* upper;
  float* lower;
  uint32_t a[4], b[2];
};

inline void multiply_16x8x16(float* upper, float* lower, const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  using namespace emulator;
  Multiply mine{upper, lower, {a[0], a[1], a[2], a[3]}, {b0, b1}};
  warp_together("mma", mine, [&](Multiply** lanes) {
    float wide_a[16][16], wide_b[16][8];
    for (int lane = 0; lane < 32; ++lane) {
      const int g = lane / 4, t = lane % 4 * 2;
      for (int half = 0; half < 2; ++half) {
        for (int i = 0; i < 4; ++i)
          wide_a[g + i % 2 * 8][t + half + i / 2 * 8] = of_bf16(lanes[lane]->a[i] >> 16 * half & 0xffff);
        for (int i = 0; i < 2; ++i)
          wide_b[t + half + i * 8][g] = of_bf16(lanes[lane]->b[i] >> 16 * half & 0xffff);
      }
    }
    for (int lane = 0; lane < 32; ++lane) {
      const int g = lane / 4, t = lane % 4 * 2;
      for (int half = 0; half < 2; ++half) {
        for (int k = 0; k < 16; ++k) {
          lanes[lane]->upper[half] += wide_a[g][k] * wide_b[k][t + half];
          lanes[lane]->lower[half] += wide_a[g + 8][k] * wide_b[k][t + half];
        }
      }
    }
  });
}

}  // namespace vssl::cuda

#include "cuda_emulator_sm90.h"

// The part of the runtime that the kernels' host code and the tests use.
enum cudaError_t { cudaSuccess = 0, cudaErrorInvalidValue = 1 };
using cudaStream_t = struct CUstream_st*;
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize };
enum cudaDeviceAttr { cudaDevAttrComputeCapabilityMajor, cudaDevAttrComputeCapabilityMinor };
enum cudaLaunchAttributeID {
  cudaLaunchAttributeClusterDimension,
  cudaLaunchAttributeProgrammaticStreamSerialization
};
struct cudaLaunchAttribute {
  cudaLaunchAttributeID id;
  struct {
    dim3 clusterDim;
    int programmaticStreamSerializationAllowed;
  } val;
};
struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  std::size_t dynamicSmemBytes;
  cudaStream_t stream;
  cudaLaunchAttribute* attrs;
  unsigned numAttrs;
};

inline const char* cudaGetErrorString(cudaError_t) { return "emulated error"; }
inline cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}
inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  *value = attribute == cudaDevAttrComputeCapabilityMajor ? vssl::emulator::settings.major
                                                          : vssl::emulator::settings.minor;
  return cudaSuccess;
}
inline cudaError_t cudaFuncSetAttribute(const void*, cudaFuncAttribute, int bytes) {
  return bytes <= 227 * 1024 ? cudaSuccess : cudaErrorInvalidValue;
}

template <typename... Parameters, typename... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               Arguments... arguments) {
  int size = 1;
  for (unsigned i = 0; i < config->numAttrs; ++i) {
    if (config->attrs[i].id == cudaLaunchAttributeClusterDimension)
      size = static_cast<int>(config->attrs[i].val.clusterDim.x);
  }
  const std::tuple<Parameters...> values{arguments...};
  const dim3 grid = config->gridDim;
  if (grid.x % static_cast<unsigned>(size) != 0 || grid.x == 0 || grid.y == 0 || grid.z == 0 ||
      grid.y > 65535 || grid.z > 65535 || config->blockDim.x > 1024)
    return cudaErrorInvalidValue;
  for (unsigned z = 0; z < grid.z; ++z) {
    for (unsigned y = 0; y < grid.y; ++y) {
      for (unsigned x = 0; x < grid.x; x += static_cast<unsigned>(size)) {
        vssl::emulator::run_cluster([&] { std::apply(kernel, values); }, dim3(x, y, z), grid,
                                    config->blockDim, size, config->dynamicSmemBytes);
      }
    }
  }
  return cudaSuccess;
}
