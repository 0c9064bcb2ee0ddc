// Loading of shared libraries around the kernels addon.
#pragma once

#include <napi.h>

namespace vssl::binding {

/// preload(path): opens a shared library with global symbols, so that an addon loaded later finds them.
/// Throws ERR_VSSL_LOAD with the loader's message.
void preload(const Napi::CallbackInfo& info);

/// Keeps this addon mapped until the process ends: Node unmaps an addon with the last worker thread that
/// loaded it, but the kernels' thread pool goes on sleeping in its code.
void stay_loaded();

}  // namespace vssl::binding
