// Loading of shared libraries around the kernels addon.
#pragma once

#include <napi.h>

namespace vssl::binding {

/// preload(path): opens a shared library with global symbols, so that an addon loaded later finds them.
/// Throws ERR_VSSL_LOAD with the loader's message.
void preload(const Napi::CallbackInfo& info);

/// preloadAsync(path): a promise, without a value, of having opened the library with all that it needs, off
/// the event loop. What loads it later finds it in place.
Napi::Value preload_async(const Napi::CallbackInfo& info);

}  // namespace vssl::binding
