// vssl_kernels.node: the libtorch-free kernels for JavaScript. Contract: KernelsAddon in
// src/native/bindings.ts.
#include <napi.h>

#include "../kernels/isa.h"
#include "kernels_async.h"
#include "kernels_guard.h"
#include "kernels_limits.h"
#include "kernels_load.h"
#include "kernels_ntxent.h"
#include "kernels_queue.h"
#include "kernels_reference.h"
#include "kernels_spans.h"
#include "pin.h"

namespace vssl::binding {
namespace {

constexpr int kApiVersion = 2;

Napi::Value isa(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    auto detected = Napi::Array::New(info.Env());
    for (Isa found : detected_isas()) detected.Set(detected.Length(), isa_name(found));
    auto result = Napi::Object::New(info.Env());
    result.Set("detected", detected);
    result.Set("selected", isa_name(selected_isa()));
    return result;
  });
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  stay_loaded();
  env.SetInstanceData(new std::shared_ptr<Dispatcher>(Dispatcher::create(env)));
  exports.Set("kernelApiVersion", kApiVersion);
  exports.Set("isa", Napi::Function::New(env, isa, "isa"));
  exports.Set("ntXent", Napi::Function::New(env, nt_xent_sync, "ntXent"));
  exports.Set("ntXentAsync", Napi::Function::New(env, nt_xent_async, "ntXentAsync"));
  exports.Set("limits", limits_exports(env));
  exports.Set("reference", reference_exports(env));
  exports.Set("MomentumQueue", define_momentum_queue(env));
  exports.Set("dct", Napi::Function::New(env, dct_sync, "dct"));
  exports.Set("dctAsync", Napi::Function::New(env, dct_async, "dctAsync"));
  exports.Set("dctMotion", Napi::Function::New(env, dct_motion_sync, "dctMotion"));
  exports.Set("dctMotionAsync", Napi::Function::New(env, dct_motion_async, "dctMotionAsync"));
  exports.Set("frameDifference", Napi::Function::New(env, frame_difference_sync, "frameDifference"));
  exports.Set("frameDifferenceAsync",
              Napi::Function::New(env, frame_difference_async, "frameDifferenceAsync"));
  exports.Set("emaUpdate", Napi::Function::New(env, ema_update_sync, "emaUpdate"));
  exports.Set("emaUpdateAsync", Napi::Function::New(env, ema_update_async, "emaUpdateAsync"));
  exports.Set("preload", Napi::Function::New(env, preload, "preload"));
  exports.Set("preloadAsync", Napi::Function::New(env, preload_async, "preloadAsync"));
  return exports;
}

}  // namespace
}  // namespace vssl::binding

static Napi::Object Init(Napi::Env env, Napi::Object exports) { return vssl::binding::init(env, exports); }

NODE_API_MODULE(vssl_kernels, Init)
