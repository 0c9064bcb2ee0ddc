// What the engine addon keeps for each environment, and promises of work on its threads.
#pragma once

#include <napi.h>

#include <atomic>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

#include "../common/ending.h"
#include "dispatcher.h"
#include "executor.h"

namespace vssl::binding {

struct AddonData {
  std::shared_ptr<Dispatcher> dispatcher;
  // Calls at work. Threads hold it, for they may outlive the environment.
  std::shared_ptr<std::atomic<int>> running = std::make_shared<std::atomic<int>>(0);
  std::shared_ptr<Executor> jobs;  // single calls: index a file, write a video, fit a probe
  Napi::FunctionReference batch, loader, session, encoder;
};

/// The environment's threads for single calls.
Executor& jobs(Napi::Env env);

/// A JavaScript Error with the code of a native one. Never throws.
Napi::Value to_js_error(Napi::Env env, std::exception_ptr error);

/// Runs `body`; native exceptions become JavaScript ones with a code.
template <typename Body>
auto guarded(Napi::Env env, Body body) -> decltype(body()) {
  try {
    return body();
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw Napi::Error(env, to_js_error(env, std::current_exception()));
  }
}

/// Promise of work() -> Result, run on `executor`; convert(env, Result&) makes the JavaScript value. Work
/// that has not begun when the environment ends is dropped.
template <typename Work, typename Convert>
Napi::Value run_async(Napi::Env env, Executor& executor, Work work, Convert convert) {
  using Result = decltype(work());
  struct Call {
    std::optional<Work> work;
    std::optional<Result> result;
    std::exception_ptr error;
  };
  const auto call = std::make_shared<Call>();
  call->work.emplace(std::move(work));
  const auto dispatcher = env.GetInstanceData<AddonData>()->dispatcher;
  const auto deferred = Napi::Promise::Deferred::New(env);
  const auto ticket = dispatcher->begin(env, [deferred, call, convert = std::move(convert)](Napi::Env js) {
    if (call->error) return deferred.Reject(to_js_error(js, call->error));
    deferred.Resolve(convert(js, *call->result));
  });
  try {
    executor.run([dispatcher, ticket, call, running = env.GetInstanceData<AddonData>()->running] {
      if (dispatcher->closed()) return;
      ++*running;
      ending::dropped = &dispatcher->closed();
      try {
        call->result.emplace((*call->work)());
      } catch (...) {
        call->error = std::current_exception();
      }
      ending::dropped = nullptr;
      call->work.reset();  // what it holds goes before the promise is settled
      --*running;
      dispatcher->post(ticket);
    });
  } catch (...) {
    dispatcher->forget(ticket);
    throw;
  }
  return deferred.Promise();
}

}  // namespace vssl::binding
