// `limits`: the ceilings of native/kernels/limits.h for the benchmarks.
//   cores() => number
//   fmaRate(seconds, threads), bf16Rate(seconds, threads) => FLOP/s
//   readSeconds(source: ArrayBufferView, threads)
//   copySeconds(target: Float32Array, source: Float32Array, threads)
//   widenSeconds(target: Float32Array, source: Uint8Array, threads)
//   triadSeconds(target: Float32Array, a: Float32Array, b: Float32Array, scale, threads) => seconds
// All arrays of one call are equally long; threads 0: one per physical core.
#pragma once

#include <napi.h>

namespace vssl::binding {

Napi::Object limits_exports(Napi::Env env);

}  // namespace vssl::binding
