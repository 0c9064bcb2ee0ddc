// The sm_80 instructions of the portable path: asynchronous copies to shared memory, matrix loads, bf16
// products. Source: PTX ISA, sections cp.async, ldmatrix and mma.
#pragma once

#include "device.cuh"

#ifndef VSSL_CUDA_EMULATED

namespace vssl::cuda {

/// Copies 16 bytes from global to shared memory; both 16-byte aligned. Done after copies_done() and a
/// barrier.
inline __device__ void copy_async16(uint32_t to_shared, const void* from_global) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to_shared), "l"(from_global) : "memory");
}

/// Waits for all of this thread's copies.
inline __device__ void copies_done() { asm volatile("cp.async.wait_all;" ::: "memory"); }

/// Four 8 x 8 matrices of bf16: lane l gives the address of row l % 8 of matrix l / 8, and gets of each
/// matrix the elements 2 (l % 4) and 2 (l % 4) + 1 of row l / 4.
inline __device__ void load_matrices(uint32_t (&m)[4], uint32_t row_address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3])
               : "r"(row_address)
               : "memory");
}

/// The same, each matrix transposed.
inline __device__ void load_matrices_transposed(uint32_t (&m)[4], uint32_t row_address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3])
               : "r"(row_address)
               : "memory");
}

/// D += A B, A 16 x 16, B 16 x 8. With g = lane / 4, t = lane % 4 a lane holds, of D, upper[0..1] =
/// D[g][2t..2t+1] and lower[0..1] = D[g + 8][2t..2t+1]; of A, in this order, pairs of columns 2t.. of rows g
/// and g + 8, then pairs of columns 2t + 8.. of the same rows; of B pairs of rows 2t.. and 2t + 8.. of column
/// g.
inline __device__ void multiply_16x8x16(float* upper, float* lower, const uint32_t (&a)[4], uint32_t b0,
                                        uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(upper[0]), "+f"(upper[1]), "+f"(lower[0]), "+f"(lower[1])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

}  // namespace vssl::cuda

#endif
