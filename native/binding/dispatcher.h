// Carries results of native threads back to the JavaScript thread of one environment. Whatever belongs to
// V8 stays on that thread: others hold only the number of a call.
#pragma once

#include <napi.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace vssl::binding {

/// One per environment (main thread or worker thread). Keeps the process alive only while work is pending.
class Dispatcher : public std::enable_shared_from_this<Dispatcher> {
 public:
  using Ticket = uint64_t;

  static std::shared_ptr<Dispatcher> create(Napi::Env env);

  /// JavaScript thread: one more result is awaited. `finish(env)` is called there once after post(), or never
  /// when the environment ends before; it is destroyed on that thread in both cases.
  template <typename Finish>
  Ticket begin(Napi::Env env, Finish finish) {
    return keep(env, std::make_unique<CallbackOf<Finish>>(std::move(finish)));
  }
  void forget(Ticket ticket);  // JavaScript thread: no post() will come
  void post(Ticket ticket);    // any thread: the result is there; without effect once the environment ended
  /// Any thread: set once the environment ended, when nobody waits for any result.
  const std::atomic<bool>& closed() const { return closed_; }

 private:
  struct Callback {
    virtual ~Callback() = default;
    virtual void call(Napi::Env env) = 0;
  };
  template <typename Finish>
  struct CallbackOf : Callback {
    explicit CallbackOf(Finish f) : finish(std::move(f)) {}
    void call(Napi::Env env) override { finish(env); }
    Finish finish;
  };
  struct Message {
    std::shared_ptr<Dispatcher> dispatcher;
    Ticket ticket;
  };
  static void on_js(Napi::Env env, Napi::Function, std::nullptr_t*, Message* message);
  using Channel = Napi::TypedThreadSafeFunction<std::nullptr_t, Message, &Dispatcher::on_js>;

  Ticket keep(Napi::Env env, std::unique_ptr<Callback> callback);
  std::unique_ptr<Callback> take(Ticket ticket);
  void close();

  Channel channel_;
  std::mutex mutex_;  // of posting and closing
  std::atomic<bool> closed_{false};
  // JavaScript thread only
  Ticket last_ = 0;
  std::unordered_map<Ticket, std::unique_ptr<Callback>> pending_;
};

}  // namespace vssl::binding
