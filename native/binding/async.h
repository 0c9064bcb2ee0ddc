// What an addon keeps for each environment, and promises of work on other threads.
#pragma once

#include <napi.h>

#include <atomic>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "../common/ending.h"
#include "dispatcher.h"
#include "executor.h"
#include "guard.h"

namespace vssl::binding {

struct AddonData {
  std::shared_ptr<Dispatcher> dispatcher;
  // Calls at work. Threads hold it, for they may outlive the environment.
  std::shared_ptr<std::atomic<int>> running = std::make_shared<std::atomic<int>>(0);
  // Those of them that read JavaScript's memory, which the end of the environment waits for.
  std::shared_ptr<std::atomic<int>> borrowing = std::make_shared<std::atomic<int>>(0);
  std::shared_ptr<Executor> jobs;                          // see jobs()
  std::map<std::string, Napi::FunctionReference> classes;  // constructors by name, see object.h
};

/// The threads of the addon for single calls. Not those of libuv, which an exit and the end of a worker
/// thread wait for.
Executor& jobs(Napi::Env env);

/// The promise of work without a result is of undefined.
struct Undefined {
  Napi::Value operator()(Napi::Env env, std::monostate) const { return env.Undefined(); }
};

/// The outcome of a call on its way to the event loop; any thread fills it and then posts it once.
template <typename Result>
struct Outcome {
  std::optional<Result> result;
  std::exception_ptr error;
  std::shared_ptr<Dispatcher> dispatcher;
  Dispatcher::Ticket ticket = 0;
  void post() { dispatcher->post(ticket); }
};

/// `start(outcome)` has the outcome posted, now or later. Then `finish(env, result&)` is called on the event
/// loop, where it is destroyed too; the promise is of what that returns, or rejected with the native
/// exception of either. When the environment ends before, `finish` is not called.
template <typename Result, typename Start, typename Finish>
Napi::Value promise_of(Napi::Env env, Start start, Finish finish) {
  const auto outcome = std::make_shared<Outcome<Result>>();
  outcome->dispatcher = env.GetInstanceData<AddonData>()->dispatcher;
  const auto deferred = Napi::Promise::Deferred::New(env);
  outcome->ticket =
      outcome->dispatcher->begin(env, [deferred, outcome, finish = std::move(finish)](Napi::Env js) mutable {
        try {
          if (outcome->error) std::rethrow_exception(outcome->error);
          deferred.Resolve(finish(js, *outcome->result));
        } catch (const Napi::Error&) {
          throw;
        } catch (...) {
          deferred.Reject(to_js_error(js, std::current_exception()));
        }
      });
  try {
    start(outcome);
  } catch (...) {
    outcome->dispatcher->forget(outcome->ticket);
    throw;
  }
  return deferred.Promise();
}

/// promise_of `work()`, called on a thread of `executor` and destroyed there before the promise is settled.
/// It must not touch JavaScript. What has not begun when the environment ends is dropped.
template <typename Work, typename Finish = Undefined>
Napi::Value run_async(Napi::Env env, Executor& executor, Work work, Finish finish = {}) {
  using Given = decltype(work());
  using Result = std::conditional_t<std::is_void_v<Given>, std::monostate, Given>;
  const auto held = std::make_shared<std::optional<Work>>(std::move(work));
  const auto running = env.GetInstanceData<AddonData>()->running;
  const auto start = [&](const std::shared_ptr<Outcome<Result>>& outcome) {
    executor.run([outcome, held, running] {
      const std::atomic<bool>& closed = outcome->dispatcher->closed();
      if (closed) return;
      ++*running;
      ending::dropped = &closed;
      try {
        if constexpr (std::is_void_v<Given>) {
          (**held)();
          outcome->result.emplace();
        } else {
          outcome->result.emplace((**held)());
        }
      } catch (...) {
        outcome->error = std::current_exception();
      }
      ending::dropped = nullptr;
      held->reset();
      --*running;
      outcome->post();
    });
  };
  return promise_of<Result>(env, start, std::move(finish));
}

}  // namespace vssl::binding
