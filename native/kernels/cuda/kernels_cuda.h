// The kernels of kernels.h on CUDA devices: the same equations, pointers to device memory, a stream.
//
// Common rules
// - Results, scalars included, are written to device memory in stream order. No function waits for the
// device,
//   allocates or frees: all can be captured into a CUDA graph. Scalars that are arguments are taken by value
//   at the call, so a graph keeps them.
// - Scratch memory is the caller's: `workspace` has at least the bytes that the function's ..._workspace()
//   says for the same sizes and options, on a 256-byte boundary (cudaMalloc gives that), and belongs to the
//   call until the stream has passed it. Its contents need no preparation.
// - Matrices are row-major, contiguous and fp32 unless said otherwise; pointers need no alignment beyond 4
//   bytes. Outputs may not overlap inputs, unless the function says so.
// - Same input and options give the same bits on the same kind of device and path.
// - The current device is used. Devices of compute capability 8.0 and up.
// - Wrong arguments throw vssl::Error with code ERR_VSSL_INVALID_ARGUMENT before anything is enqueued; an
//   error of the CUDA runtime throws ERR_VSSL_CUDA.
#pragma once

#include <cstddef>
#include <cstdint>

#ifndef VSSL_CUDA_EMULATED
#include <cuda_runtime_api.h>
#endif

#include "../kernels.h"

namespace vssl::cuda {

/// As vssl::nt_xent(). `threads` is ignored.
///
/// result      loss and grad_temperature (0 when gradient is null)
/// gradient    rows x dim, overwritten; null computes the loss only; may be `embeddings` itself
/// embeddings  rows x dim
/// rows        even, 2 to 2^24;  dim 1 to 8192
/// Memory: O(rows * dim), never rows * rows; see nt_xent_workspace().
/// Launches: 3 up to 512 rows and 128 dims, else 4.
void nt_xent(NtXentResult* result, float* gradient, const float* embeddings, int64_t rows, int64_t dim,
             const NtXentOptions& options, void* workspace, std::size_t workspace_bytes, cudaStream_t stream);

/// Bytes of workspace for nt_xent(), with a gradient or without.
std::size_t nt_xent_workspace(int64_t rows, int64_t dim, const NtXentOptions& options, bool gradient);

}  // namespace vssl::cuda
