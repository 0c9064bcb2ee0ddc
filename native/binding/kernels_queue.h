// MomentumQueue:
//   new MomentumQueue(capacity, dim, decay, decayOn: 'logit' | 'weight', ageUnit: 'enqueue' | 'key',
//                     init: 'random' | 'empty', seed)
//   enqueue(keys: Float32Array, rows), enqueueAsync
//   infoNce(queries: Float32Array, keys: Float32Array, gradient: Float32Array | null, rows, temperature,
//           normalize, precision: 'fp32' | 'bf16', threads) => loss; infoNceAsync: a promise of it
//   length(), next(), copyKeys(into), copyAges(into), restore(keys, ages, length, next), dispose()
#pragma once

#include <napi.h>

namespace vssl::binding {

/// The constructor, one for each environment. Asynchronous calls copy their arrays at the call; infoNceAsync
/// sees the queue as it is then, and fills `gradient` on the JavaScript thread when done. Everything after
/// dispose() throws ERR_VSSL_DISPOSED; calls that run then end as they would have.
Napi::Function define_momentum_queue(Napi::Env env);

}  // namespace vssl::binding
