#include "dispatcher.h"

namespace vssl::binding {

std::shared_ptr<Dispatcher> Dispatcher::create(Napi::Env env) {
  auto self = std::make_shared<Dispatcher>();
  self->channel_ = Channel::New(env, "vssl dispatcher", 0, 1);
  self->channel_.Unref(env);
  // Registered after the channel's own hook, so it runs before it: no thread posts into a closed channel.
  env.AddCleanupHook([self] { self->close(); });
  return self;
}

Dispatcher::Ticket Dispatcher::keep(Napi::Env env, std::unique_ptr<Callback> callback) {
  const Ticket ticket = ++last_;
  pending_.emplace(ticket, std::move(callback));
  if (pending_.size() == 1) channel_.Ref(env);
  return ticket;
}

std::unique_ptr<Dispatcher::Callback> Dispatcher::take(Ticket ticket) {
  const auto found = pending_.find(ticket);
  if (found == pending_.end()) return nullptr;
  auto callback = std::move(found->second);
  pending_.erase(found);
  return callback;
}

// The channel may stay referenced by it; the next result that comes sees to that.
void Dispatcher::forget(Ticket ticket) { take(ticket); }

void Dispatcher::post(Ticket ticket) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (closed_) return;
  auto* message = new Message{shared_from_this(), ticket};
  if (channel_.NonBlockingCall(message) != napi_ok) delete message;
}

void Dispatcher::close() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (closed_) return;
    closed_ = true;
    channel_.Release();
  }
  pending_.clear();
}

void Dispatcher::on_js(Napi::Env env, Napi::Function, std::nullptr_t*, Message* raw) {
  const std::unique_ptr<Message> message(raw);
  if (static_cast<napi_env>(env) == nullptr) return;  // the environment is closing
  Dispatcher& self = *message->dispatcher;
  const auto callback = self.take(message->ticket);
  if (self.pending_.empty()) self.channel_.Unref(env);
  if (!callback) return;
  const Napi::HandleScope scope(env);
  try {
    callback->call(env);
  } catch (const Napi::Error& error) {
    error.ThrowAsJavaScriptException();
  }
}

}  // namespace vssl::binding
