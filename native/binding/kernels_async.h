// Kernels off the event loop.
#pragma once

#include <napi.h>

#include <memory>
#include <optional>
#include <utility>

#include "dispatcher.h"
#include "executor.h"
#include "kernels_guard.h"

namespace vssl::binding {

/// Threads of the whole process that begin asynchronous calls; each call brings in the kernels' own pool as
/// it needs. Not the threads of libuv, which an exit and the end of a worker thread wait for.
Executor& kernel_threads();

/// The channel of an environment, made when the addon loads there.
std::shared_ptr<Dispatcher> dispatcher_of(Napi::Env env);

/// Calls `work()` on one of kernel_threads(), then `finish(env, result)` on the event loop; the promise is of
/// what that returns. Exceptions of either reject it. `work` must not touch JavaScript; `finish` is destroyed
/// on the event loop. When the environment ends before, what has not begun is dropped and `finish` not
/// called.
template <typename Work, typename Finish>
Napi::Promise run_async(Napi::Env env, Work work, Finish finish) {
  struct Call {
    explicit Call(Work w) : work(std::move(w)) {}
    Work work;
    std::optional<decltype(work())> result;
    std::optional<Failure> failure;
  };
  const auto call = std::make_shared<Call>(std::move(work));
  const auto dispatcher = dispatcher_of(env);
  const auto deferred = Napi::Promise::Deferred::New(env);
  const auto ticket =
      dispatcher->begin(env, [deferred, call, finish = std::move(finish)](Napi::Env js) mutable {
        if (!call->failure) {
          try {
            return deferred.Resolve(finish(js, std::move(*call->result)));
          } catch (const Napi::Error&) {
            throw;
          } catch (...) {
            call->failure = current_failure();
          }
        }
        deferred.Reject(to_js_error(js, *call->failure).Value());
      });
  try {
    kernel_threads().run([dispatcher, ticket, call] {
      if (dispatcher->closed()) return;
      try {
        call->result.emplace(call->work());
      } catch (...) {
        call->failure = current_failure();
      }
      dispatcher->post(ticket);
    });
  } catch (...) {
    dispatcher->forget(ticket);
    throw;
  }
  return deferred.Promise();
}

}  // namespace vssl::binding
