// dct(clip: Float32Array | Uint8Array, out: Float32Array, frames, pixels, inverse, keep, threads)
// dctMotion(clip, out, frames, pixels, dropLow, output: 'signal' | 'energy', threads)
// frameDifference(clip, out, frames, pixels, threads)
// emaUpdate(target: Float32Array, source: Float32Array, size, momentum)
// and ...Async of each, which return promises. All write to an array of the caller and return nothing.
#pragma once

#include <napi.h>

namespace vssl::binding {

Napi::Value dct_sync(const Napi::CallbackInfo& info);
Napi::Value dct_motion_sync(const Napi::CallbackInfo& info);
Napi::Value frame_difference_sync(const Napi::CallbackInfo& info);
Napi::Value ema_update_sync(const Napi::CallbackInfo& info);

/// These copy what they read at the call and write on the JavaScript thread when done, so that the caller may
/// change, transfer or drop the arrays meanwhile.
Napi::Value dct_async(const Napi::CallbackInfo& info);
Napi::Value dct_motion_async(const Napi::CallbackInfo& info);
Napi::Value frame_difference_async(const Napi::CallbackInfo& info);
Napi::Value ema_update_async(const Napi::CallbackInfo& info);

}  // namespace vssl::binding
