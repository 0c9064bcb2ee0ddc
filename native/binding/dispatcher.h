// Carries results of native threads back to the JavaScript thread of one environment, and runs blocking work
// off it. Nothing of V8 is ever touched on another thread: tasks hold copies or shared native objects only.
#pragma once

#include <napi.h>

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace vssl::binding {

// One per environment (main thread or worker thread). Keeps the process alive only while work is pending.
class Dispatcher : public std::enable_shared_from_this<Dispatcher> {
 public:
  using Callback = std::function<void(Napi::Env)>;

  static std::shared_ptr<Dispatcher> create(Napi::Env env);

  void begin(Napi::Env env);  // JavaScript thread: one more result is awaited
  void post(Callback on_js);  // any thread: the result that was awaited; dropped once the environment closes
  void close();               // JavaScript thread, when the environment ends

 private:
  struct Message {
    std::shared_ptr<Dispatcher> dispatcher;
    Callback callback;
  };
  static void on_js(Napi::Env env, Napi::Function, std::nullptr_t*, Message* message);
  using Channel = Napi::TypedThreadSafeFunction<std::nullptr_t, Message, &Dispatcher::on_js>;

  Channel channel_;
  std::mutex mutex_;
  bool closed_ = false;
  int64_t pending_ = 0;  // JavaScript thread only
};

// A queue of jobs on its own threads. The destructor drops what waits and joins what runs.
class Executor {
 public:
  explicit Executor(int threads);
  ~Executor();
  void run(std::function<void()> job);

 private:
  // Shared with the threads: a job may own the last reference to its executor, which then ends under its own
  // thread.
  struct State {
    std::mutex mutex;
    std::condition_variable wake;
    std::deque<std::function<void()>> jobs;
    bool stopping = false;
  };
  static void work(const std::shared_ptr<State>& state);
  std::shared_ptr<State> state_ = std::make_shared<State>();
  std::vector<std::thread> threads_;
};

// What the addon keeps per environment.
struct AddonData {
  std::shared_ptr<Dispatcher> dispatcher;
  std::unique_ptr<Executor> jobs;  // single calls: index a file, write a video, fit a probe
  Napi::FunctionReference batch, loader, session, encoder;
};

// A JavaScript Error with the code of a native one. Never throws.
Napi::Value to_js_error(Napi::Env env, std::exception_ptr error);

// Runs `body`; native exceptions become JavaScript ones with a code.
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

// Promise of work() -> Result, run on `executor`; convert(env, Result) makes the JavaScript value.
template <typename Work, typename Convert>
Napi::Value run_async(Napi::Env env, Executor& executor, Work work, Convert convert) {
  using Result = decltype(work());
  auto dispatcher = env.GetInstanceData<AddonData>()->dispatcher;
  const auto deferred = Napi::Promise::Deferred::New(env);
  dispatcher->begin(env);
  executor.run([dispatcher, deferred, work = std::move(work), convert = std::move(convert)]() mutable {
    std::shared_ptr<Result> result;
    std::exception_ptr error;
    try {
      result = std::make_shared<Result>(work());
    } catch (...) {
      error = std::current_exception();
    }
    dispatcher->post([deferred, result, error, convert](Napi::Env js) {
      if (error) return deferred.Reject(to_js_error(js, error));
      deferred.Resolve(convert(js, *result));
    });
  });
  return deferred.Promise();
}

}  // namespace vssl::binding
