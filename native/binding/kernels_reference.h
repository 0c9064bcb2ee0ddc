// `reference`: the double-precision twins (native/kernels/reference.h), for tests and for the verification
// that comes before every timing. Slow, on the calling thread.
//   ntXent(embeddings: Float64Array, gradient: Float64Array | null, rows, dim, temperature, normalize)
//     => { loss, gradTemperature }
#pragma once

#include <napi.h>

namespace vssl::binding {

Napi::Object reference_exports(Napi::Env env);

}  // namespace vssl::binding
