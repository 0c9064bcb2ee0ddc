#include "dispatcher.h"

#include <new>
#include <string>

#include "../common/error.h"

namespace vssl::binding {

std::shared_ptr<Dispatcher> Dispatcher::create(Napi::Env env) {
  auto self = std::make_shared<Dispatcher>();
  self->channel_ = Channel::New(env, "vssl dispatcher", 0, 1);
  self->channel_.Unref(env);
  // Registered after the channel's own hook, so it runs before it: no thread posts into a closed channel.
  env.AddCleanupHook([self] { self->close(); });
  return self;
}

void Dispatcher::begin(Napi::Env env) {
  if (pending_++ == 0) channel_.Ref(env);
}

void Dispatcher::post(Callback callback) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (closed_) return;
  auto* message = new Message{shared_from_this(), std::move(callback)};
  if (channel_.NonBlockingCall(message) != napi_ok) delete message;
}

void Dispatcher::close() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (closed_) return;
  closed_ = true;
  channel_.Release();
}

void Dispatcher::on_js(Napi::Env env, Napi::Function, std::nullptr_t*, Message* raw) {
  const std::unique_ptr<Message> message(raw);
  if (static_cast<napi_env>(env) == nullptr) return;  // the environment is closing
  Dispatcher& self = *message->dispatcher;
  if (--self.pending_ == 0) self.channel_.Unref(env);
  const Napi::HandleScope scope(env);
  try {
    message->callback(env);
  } catch (const Napi::Error& error) {
    error.ThrowAsJavaScriptException();
  }
}

Executor::Executor(int threads) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([state = state_] { work(state); });
}

Executor::~Executor() {
  std::deque<std::function<void()>> dropped;  // destroyed outside the lock: jobs own objects
  {
    const std::lock_guard<std::mutex> lock(state_->mutex);
    state_->stopping = true;
    dropped.swap(state_->jobs);
  }
  state_->wake.notify_all();
  for (auto& thread : threads_) {
    if (thread.get_id() == std::this_thread::get_id())
      thread.detach();
    else
      thread.join();
  }
}

void Executor::run(std::function<void()> job) {
  {
    const std::lock_guard<std::mutex> lock(state_->mutex);
    state_->jobs.push_back(std::move(job));
  }
  state_->wake.notify_one();
}

void Executor::work(const std::shared_ptr<State>& state) {
  for (;;) {
    std::function<void()> job;
    {
      std::unique_lock<std::mutex> lock(state->mutex);
      state->wake.wait(lock, [&] { return state->stopping || !state->jobs.empty(); });
      if (state->stopping) return;
      job = std::move(state->jobs.front());
      state->jobs.pop_front();
    }
    job();
  }
}

namespace {

Napi::Value make_error(Napi::Env env, const std::string& code, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  return error.Value();
}

}  // namespace

Napi::Value to_js_error(Napi::Env env, std::exception_ptr error) {
  try {
    std::rethrow_exception(error);
  } catch (const Error& e) {
    return make_error(env, e.code, e.what());
  } catch (const std::bad_alloc&) {
    return make_error(env, "ERR_VSSL_OUT_OF_MEMORY", "not enough memory; use a smaller batch, clip or cache");
  } catch (const std::exception& e) {
    return make_error(env, "ERR_VSSL_INTERNAL", e.what());
  } catch (...) {
    return make_error(env, "ERR_VSSL_INTERNAL", "unknown native error");
  }
}

}  // namespace vssl::binding
