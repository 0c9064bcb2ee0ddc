// topkDot and topkDotAsync:
//   (queries: Float32Array, rows: Float32Array | Uint16Array | Int8Array, scales: Float32Array | null,
//    indices: Int32Array, scores: Float32Array, type: 'fp32' | 'fp16' | 'bf16' | 'int8', dim, k, threads)
//   => nothing, or a promise of it
// The arrays say how many queries and rows there are; indices and scores have min(k, rows) for each query.
#pragma once

#include <napi.h>

namespace vssl::binding {

Napi::Value topk_dot_sync(const Napi::CallbackInfo& info);

/// Takes a copy of the queries at the call, and of rows and scales unless their memory is shared: that cannot
/// be taken away, and is read where it lies. Fills indices and scores on the JavaScript thread when done.
Napi::Value topk_dot_async(const Napi::CallbackInfo& info);

}  // namespace vssl::binding
