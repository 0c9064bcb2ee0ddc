// The JavaScript classes of the engine addon.
#pragma once

#include <napi.h>

#include <memory>

#include "../engine/engine.h"
#include "../video/video.h"
#include "object.h"

namespace vssl::binding {

void define_loader(Napi::Env env);   // NativeBatch and NativeLoader
void define_session(Napi::Env env);  // NativeSession and NativeEncoder
void define_writer(Napi::Env env);   // NativeVideoWriter

// The batch behind a NativeBatch argument; throws ERR_VSSL_INVALID_ARGUMENT or ERR_VSSL_DISPOSED.
std::shared_ptr<video::Batch> to_batch(const Napi::Value& value);

Napi::Value create_loader(const Napi::CallbackInfo& info);
Napi::Value create_session(const Napi::CallbackInfo& info);
Napi::Value join_ranks(const Napi::CallbackInfo& info);
Napi::Value create_encoder(const Napi::CallbackInfo& info);
Napi::Value create_video_writer(const Napi::CallbackInfo& info);
Napi::Value write_video(const Napi::CallbackInfo& info);
Napi::Value encode_jpeg(const Napi::CallbackInfo& info);

}  // namespace vssl::binding
