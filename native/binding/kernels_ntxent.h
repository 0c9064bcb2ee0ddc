// ntXent and ntXentAsync:
//   (embeddings: Float32Array, gradient: Float32Array | null, rows, dim, temperature, normalize,
//    precision: 'fp32' | 'bf16', threads) => { loss, gradTemperature }, or a promise of it
#pragma once

#include <napi.h>

namespace vssl::binding {

Napi::Value nt_xent_sync(const Napi::CallbackInfo& info);

/// Takes a copy of the embeddings at the call and fills `gradient` on the JavaScript thread when done, so
/// that the caller may change, transfer or drop the arrays meanwhile.
Napi::Value nt_xent_async(const Napi::CallbackInfo& info);

}  // namespace vssl::binding
