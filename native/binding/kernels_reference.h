// `reference`: the double-precision twins (native/kernels/reference.h), for tests and for the verification
// that comes before every timing. Slow, on the calling thread.
//   ntXent(embeddings: Float64Array, gradient: Float64Array | null, rows, dim, temperature, normalize)
//     => { loss, gradTemperature }
//   infoNce(queries, keys, gradient | null, rows, dim, queueKeys, ages, decay, decayOn: 'logit' | 'weight',
//           temperature, normalize) => loss
//   dct(out, clip, frames, pixels, keep, inverse)
//   dctMotion(out, clip, frames, pixels, dropLow, output: 'signal' | 'energy')
//   frameDifference(out, clip, frames, pixels)
//   emaUpdate(target, source, momentum)
//   topkDot(indices: Int32Array, scores, queries, rows, dim, k); the arrays say how many there are
// Every other array is a Float64Array, those named first are written.
#pragma once

#include <napi.h>

namespace vssl::binding {

Napi::Object reference_exports(Napi::Env env);

}  // namespace vssl::binding
