// The Hopper instructions (sm_90a): barriers in shared memory, bulk copies that complete on them, products of
// a warpgroup, clusters. Source: PTX ISA, sections mbarrier, cp.async.bulk, wgmma, barrier.cluster, mapa.
#pragma once

#include "device.cuh"
#include "layout.h"

namespace vssl::cuda {

// Matrix descriptors of wgmma for the layout of layout.h (128-byte swizzle: type 1 in bits 62..63): address
// and the two strides in units of 16 bytes, at bits 0, 16 and 32.
//
// Rows of the operand lie along the rows of a block and k along its dims: groups of 8 rows are 1024 bytes
// apart; the other stride does not count. A step of 16 along k is 32 bytes, at most 64 dims away.
VSSL_HOST_DEVICE constexpr uint64_t along_rows(uint32_t address) {
  return uint64_t{1} << 62 | uint64_t{1024 >> 4} << 32 | uint64_t{1} << 16 | (address & 0x3ffff) >> 4;
}

// k lies along the rows of a block and the operand's columns along its dims ("transposed"): groups of 8 rows
// are 1024 bytes apart, groups of 64 dims a block. A step of 16 along k is 16 rows.
VSSL_HOST_DEVICE constexpr uint64_t along_dims(uint32_t address, uint32_t block_bytes) {
  return uint64_t{1} << 62 | uint64_t{1024 >> 4} << 32 | uint64_t{block_bytes >> 4} << 16 |
         (address & 0x3ffff) >> 4;
}

constexpr uint32_t kRowStepBytes = 32;              // 16 dims of along_rows()
constexpr uint32_t kDimStepBytes = 16 * kRowBytes;  // 16 rows of along_dims()

#ifndef VSSL_CUDA_EMULATED

inline __device__ void barrier_init(uint32_t barrier, uint32_t arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals) : "memory");
}

/// After barrier_init(), before the block's barrier that tells the others.
inline __device__ void barriers_ready() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }

inline __device__ void barrier_arrive(uint32_t barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}

/// Arrives, and makes the phase wait for `bytes` more of bulk copies.
inline __device__ void barrier_expect(uint32_t barrier, uint32_t bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes)
               : "memory");
}

/// Waits for the end of the phase of this parity; the first phase has parity 0.
inline __device__ void barrier_wait(uint32_t barrier, uint32_t parity) {
  asm volatile(
      "{\n"
      ".reg .pred done;\n"
      "again:\n"
      "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
      "@!done bra again;\n"
      "}\n" ::"r"(barrier),
      "r"(parity)
      : "memory");
}

/// Copies `bytes`, a multiple of 16, both sides on 16-byte boundaries; completes on the barrier.
inline __device__ void bulk_copy(uint32_t to_shared, const void* from_global, uint32_t bytes,
                                 uint32_t barrier) {
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(
          to_shared),
      "l"(from_global), "r"(bytes), "r"(barrier)
      : "memory");
}

/// Before the first product that reads registers written by ordinary instructions.
inline __device__ void products_begin() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
/// Makes a group of the products issued so far.
inline __device__ void products_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
/// Waits until at most kGroups groups are under way.
template <int kGroups>
inline __device__ void products_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kGroups) : "memory");
}

// Accumulators in inline assembly: their places in the text, and the registers d[first]... that stand there.
#define VSSL_OPERANDS_32                     \
  "%0, %1, %2, %3, %4, %5, %6, %7, "         \
  "%8, %9, %10, %11, %12, %13, %14, %15, "   \
  "%16, %17, %18, %19, %20, %21, %22, %23, " \
  "%24, %25, %26, %27, %28, %29, %30, %31"
#define VSSL_OPERANDS_64                       \
  VSSL_OPERANDS_32                             \
  ", %32, %33, %34, %35, %36, %37, %38, %39, " \
  "%40, %41, %42, %43, %44, %45, %46, %47, "   \
  "%48, %49, %50, %51, %52, %53, %54, %55, "   \
  "%56, %57, %58, %59, %60, %61, %62, %63"
#define VSSL_REGISTERS_4(d, i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define VSSL_REGISTERS_16(d, i) \
  VSSL_REGISTERS_4(d, i), VSSL_REGISTERS_4(d, i + 4), VSSL_REGISTERS_4(d, i + 8), VSSL_REGISTERS_4(d, i + 12)
#define VSSL_REGISTERS_32(d, i) VSSL_REGISTERS_16(d, i), VSSL_REGISTERS_16(d, i + 16)

/// D (64 x 128) = A B, or D += A B; A and B along_rows(). A warpgroup issues together; warp w of it holds
/// rows 16 w.. of D: with g = lane / 4, t = lane % 4, d[4 n + e] = D[g][8 n + 2 t + e] and d[4 n + 2 + e] =
/// D[g + 8][8 n + 2 t + e].
inline __device__ void multiply_64x128x16(float (&d)[64], uint64_t a, uint64_t b, bool accumulates) {
  asm volatile(
      "{\n"
      ".reg .pred p;\n"
      "setp.ne.b32 p, %66, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {" VSSL_OPERANDS_64
      "}, "
      "%64, %65, p, 1, 1, 0, 0;\n"
      "}\n"
      : VSSL_REGISTERS_32(d, 0), VSSL_REGISTERS_32(d, 32)
      : "l"(a), "l"(b), "r"(static_cast<int>(accumulates)));
}

/// D (64 x 64 or 64 x 128) += A B; A in registers (pairs of columns 2t.. of rows g and g + 8, then pairs of
/// columns 2t + 8.. of the same rows), B along_dims().
inline __device__ void add_product_x16(float (&d)[64], const uint32_t (&a)[4], uint64_t b) {
  asm volatile(
      "{\n"
      ".reg .pred p;\n"
      "setp.ne.b32 p, %69, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {" VSSL_OPERANDS_64
      "}, "
      "{%64, %65, %66, %67}, %68, p, 1, 1, 1;\n"
      "}\n"
      : VSSL_REGISTERS_32(d, 0), VSSL_REGISTERS_32(d, 32)
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(1));
}

inline __device__ void add_product_x16(float (&d)[32], const uint32_t (&a)[4], uint64_t b) {
  asm volatile(
      "{\n"
      ".reg .pred p;\n"
      "setp.ne.b32 p, %37, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {" VSSL_OPERANDS_32
      "}, "
      "{%32, %33, %34, %35}, %36, p, 1, 1, 1;\n"
      "}\n"
      : VSSL_REGISTERS_32(d, 0)
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(1));
}

#undef VSSL_OPERANDS_32
#undef VSSL_OPERANDS_64
#undef VSSL_REGISTERS_4
#undef VSSL_REGISTERS_16
#undef VSSL_REGISTERS_32

/// Tells the compiler that a register changes here: accumulators stay put while products are under way.
inline __device__ void keep_in_place(float& x) { asm volatile("" : "+f"(x)::"memory"); }

/// Barrier `id` (1 to 15) of `threads` threads of the block.
inline __device__ void named_barrier(int id, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

/// Registers a thread of this warpgroup, out of what the block was launched with.
template <int kRegisters>
inline __device__ void give_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters));
}
template <int kRegisters>
inline __device__ void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters));
}

/// All threads of the cluster; what they wrote to shared memory before is seen by all after.
inline __device__ void cluster_barrier() {
  asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory");
  asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory");
}

/// A float of the shared memory of block `rank` of the cluster, where this block has it at `address`.
inline __device__ float load_remote(uint32_t address, uint32_t rank) {
  float x;
  asm volatile(
      "{\n"
      ".reg .b32 remote;\n"
      "mapa.shared::cluster.u32 remote, %1, %2;\n"
      "ld.shared::cluster.f32 %0, [remote];\n"
      "}\n"
      : "=f"(x)
      : "r"(address), "r"(rank)
      : "memory");
  return x;
}

#endif

}  // namespace vssl::cuda
