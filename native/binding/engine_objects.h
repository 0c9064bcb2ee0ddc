// The JavaScript classes of the engine addon. Each holds a shared native object; calls in flight share it
// too, so dispose() and garbage collection never free what a thread still uses.
#pragma once

#include <napi.h>

#include <memory>

#include "../engine/engine.h"
#include "../video/video.h"
#include "engine_async.h"

namespace vssl::binding {

Napi::Function define_batch(Napi::Env env);
Napi::Function define_loader(Napi::Env env);
Napi::Function define_session(Napi::Env env);
Napi::Function define_encoder(Napi::Env env);

// The batch behind a NativeBatch argument; throws ERR_VSSL_INVALID_ARGUMENT or ERR_VSSL_DISPOSED.
std::shared_ptr<video::Batch> to_batch(const Napi::Value& value);
Napi::Value from_batch(Napi::Env env, std::shared_ptr<video::Batch> batch);

// createLoader, createSession, createEncoder
Napi::Value create_loader(const Napi::CallbackInfo& info);
Napi::Value create_session(const Napi::CallbackInfo& info);
Napi::Value create_encoder(const Napi::CallbackInfo& info);

[[noreturn]] inline void throw_disposed(const char* what) {
  throw Error("ERR_VSSL_DISPOSED", std::string("this ") + what + " was disposed; create a new one");
}

}  // namespace vssl::binding
