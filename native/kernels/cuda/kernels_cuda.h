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
#include "../queue.h"

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

/// The ring of vssl::MomentumQueue in device memory of the caller's: `memory` has queue_bytes(options) bytes
/// on a 256-byte boundary. Plain values, copied at will; who writes to one memory in which order is the
/// streams' business. `init` and `seed` are ignored: a queue holds what queue_restore() gave it, which must
/// come first.
///
/// Memory: capacity x dim floats and as many bf16 (capacity counted as a multiple of 128, dim of 4 and of
/// 64), 4 bytes a key for its age, 8 for its number where keys have some. The slot of the next key is on the
/// device: a captured enqueue moves on at each replay.
struct DeviceQueue {
  MomentumQueueOptions options;
  void* memory = nullptr;
};

std::size_t queue_bytes(const MomentumQueueOptions& options);

/// As MomentumQueue::restore(): `keys` (length x dim, taken as they are) and `ages` in slot order, and the
/// slot of the next key. length 0 and next 0 make an empty queue. Keys and ages are trusted. `ids` where keys
/// have numbers, else null; so for all that follows.
void queue_restore(const DeviceQueue& queue, const float* keys, const float* ages, const int64_t* ids,
                   int64_t length, int64_t next, cudaStream_t stream);

/// As MomentumQueue::enqueue(). keys  rows x dim;  rows  1 to 2^24;  ids  rows
void queue_enqueue(const DeviceQueue& queue, const float* keys, int64_t rows, const int64_t* ids,
                   cudaStream_t stream);

/// In slot order: keys capacity x dim, ages and ids capacity; only the first `length`, one value, are
/// written.
void queue_read(float* keys, float* ages, int64_t* ids, int64_t* length, const DeviceQueue& queue,
                cudaStream_t stream);

/// As vssl::info_nce(); the queue as it is when the stream comes to it. `threads` is ignored.
///
/// loss      one double
/// gradient  rows x dim, overwritten; null computes the loss only; may be `queries` itself
/// queries   rows x dim;  keys  rows x dim;  rows  1 to 2^24;  options.ids  rows, in device memory
/// Launches: 3.
void info_nce(double* loss, float* gradient, const float* queries, const float* keys, int64_t rows,
              const DeviceQueue& queue, const InfoNceOptions& options, void* workspace,
              std::size_t workspace_bytes, cudaStream_t stream);

/// Bytes of workspace for info_nce(), with a gradient or without.
std::size_t info_nce_workspace(const MomentumQueueOptions& queue, int64_t rows, const InfoNceOptions& options,
                               bool gradient);

/// As vssl::ema_update(). The spans are read from host memory at the call, and travel with the launches (96 a
/// launch); their pointers are to device memory. Targets that end up in different launches may not overlap.
void ema_update(const EmaSpan* spans, int64_t count, double momentum, cudaStream_t stream);

/// As vssl::dct(), vssl::dct_motion() and vssl::frame_difference(). One launch, no workspace.
void dct(float* out, const float* clip, int64_t frames, int64_t pixels, const DctOptions& options,
         cudaStream_t stream);
void dct(float* out, const uint8_t* clip, int64_t frames, int64_t pixels, const DctOptions& options,
         cudaStream_t stream);
void dct_motion(float* out, const float* clip, int64_t frames, int64_t pixels,
                const DctMotionOptions& options, cudaStream_t stream);
void dct_motion(float* out, const uint8_t* clip, int64_t frames, int64_t pixels,
                const DctMotionOptions& options, cudaStream_t stream);
void frame_difference(float* out, const float* clip, int64_t frames, int64_t pixels, cudaStream_t stream);
void frame_difference(float* out, const uint8_t* clip, int64_t frames, int64_t pixels, cudaStream_t stream);

/// As vssl::normalize_rows() and vssl::normalize_rows_backward(). One launch, no workspace.
void normalize_rows(float* z, const float* x, int64_t rows, int64_t dim, cudaStream_t stream);
void normalize_rows_backward(float* gradient, const float* grad_z, const float* x, int64_t rows, int64_t dim,
                             cudaStream_t stream);

/// As vssl::topk_dot(); the values, scales and results are in device memory.
///
/// query_count  0 to 524280;  dim  1 to 8192;  rows.count  0 to 2^30;  k  1 to 1024
/// Workspace: 8 k bytes for each query and 1024 rows. Launches: 2.
void topk_dot(int32_t* indices, float* scores, const float* queries, int64_t query_count, const DotRows& rows,
              int64_t k, void* workspace, std::size_t workspace_bytes, cudaStream_t stream);

std::size_t topk_dot_workspace(int64_t query_count, const DotRows& rows, int64_t k);

}  // namespace vssl::cuda
