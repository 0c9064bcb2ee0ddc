// vssl_kernels.node: the libtorch-free kernels for JavaScript. Contract: KernelsAddon in
// src/native/bindings.ts.
#include <napi.h>

#include <chrono>
#include <thread>

#include "../kernels/isa.h"
#include "async.h"
#include "kernels_limits.h"
#include "kernels_load.h"
#include "kernels_ntxent.h"
#include "kernels_queue.h"
#include "kernels_reference.h"
#include "kernels_spans.h"
#include "kernels_topk.h"
#include "pin.h"

namespace vssl::binding {
namespace {

constexpr int kApiVersion = 3;

Napi::Value isa(const Napi::CallbackInfo& info) {
  auto detected = Napi::Array::New(info.Env());
  for (Isa found : detected_isas()) detected.Set(detected.Length(), isa_name(found));
  auto result = Napi::Object::New(info.Env());
  result.Set("detected", detected);
  result.Set("selected", isa_name(selected_isa()));
  return result;
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  stay_loaded();
  auto* data = new AddonData;
  env.SetInstanceData(data);
  // Registered before the dispatcher's own hook, so it runs after it, when calls know that nobody waits for
  // them: memory of JavaScript's goes with the environment.
  env.AddCleanupHook([borrowing = data->borrowing] {
    while (*borrowing != 0) std::this_thread::sleep_for(std::chrono::microseconds(50));
  });
  data->dispatcher = Dispatcher::create(env);
  exports.Set("kernelApiVersion", kApiVersion);
  add_function<isa>(exports, "isa");
  add_function<nt_xent_sync>(exports, "ntXent");
  add_function<nt_xent_async>(exports, "ntXentAsync");
  exports.Set("limits", limits_exports(env));
  exports.Set("reference", reference_exports(env));
  exports.Set("MomentumQueue", define_momentum_queue(env));
  add_function<dct_sync>(exports, "dct");
  add_function<dct_async>(exports, "dctAsync");
  add_function<dct_motion_sync>(exports, "dctMotion");
  add_function<dct_motion_async>(exports, "dctMotionAsync");
  add_function<frame_difference_sync>(exports, "frameDifference");
  add_function<frame_difference_async>(exports, "frameDifferenceAsync");
  add_function<ema_update_sync>(exports, "emaUpdate");
  add_function<ema_update_async>(exports, "emaUpdateAsync");
  add_function<topk_dot_sync>(exports, "topkDot");
  add_function<topk_dot_async>(exports, "topkDotAsync");
  add_function<preload>(exports, "preload");
  add_function<preload_async>(exports, "preloadAsync");
  return exports;
}

}  // namespace

// Of the whole process; each call brings in the kernels' own pool as it needs.
Executor& jobs(Napi::Env) {
  static Executor* const threads = new Executor(4);  // never destroyed: calls may run while the process ends
  return *threads;
}

}  // namespace vssl::binding

static Napi::Object Init(Napi::Env env, Napi::Object exports) { return vssl::binding::init(env, exports); }

NODE_API_MODULE(vssl_kernels, Init)
