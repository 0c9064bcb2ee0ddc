// Kernels off the event loop.
#pragma once

#include <napi.h>

#include <optional>
#include <utility>

#include "kernels_guard.h"

namespace vssl::binding {

/// Calls `work()` on a thread of the pool, then `finish(env, result)` on the event loop; the promise is of
/// what that returns. Exceptions of either reject it. `work` must not touch JavaScript; both are destroyed on
/// the event loop.
template <typename Work, typename Finish>
class AsyncCall : public Napi::AsyncWorker {
 public:
  static Napi::Promise start(Napi::Env env, const char* name, Work work, Finish finish) {
    auto* call = new AsyncCall(env, name, std::move(work), std::move(finish));
    const Napi::Promise promise = call->deferred_.Promise();
    call->Queue();  // deletes itself when done
    return promise;
  }

 protected:
  void Execute() override {
    try {
      result_.emplace(work_());
    } catch (...) {
      failure_ = current_failure();
      SetError(failure_.message);
    }
  }

  void OnOK() override {
    try {
      deferred_.Resolve(finish_(Env(), std::move(*result_)));
    } catch (const Napi::Error&) {
      throw;
    } catch (...) {
      deferred_.Reject(to_js_error(Env(), current_failure()).Value());
    }
  }

  void OnError(const Napi::Error&) override { deferred_.Reject(to_js_error(Env(), failure_).Value()); }

 private:
  AsyncCall(Napi::Env env, const char* name, Work work, Finish finish)
      : Napi::AsyncWorker(env, name),
        deferred_(Napi::Promise::Deferred::New(env)),
        work_(std::move(work)),
        finish_(std::move(finish)) {}

  Napi::Promise::Deferred deferred_;
  Work work_;
  Finish finish_;
  std::optional<decltype(std::declval<Work&>()())> result_;
  Failure failure_;
};

template <typename Work, typename Finish>
Napi::Promise run_async(Napi::Env env, const char* name, Work work, Finish finish) {
  return AsyncCall<Work, Finish>::start(env, name, std::move(work), std::move(finish));
}

}  // namespace vssl::binding
