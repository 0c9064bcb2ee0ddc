// JavaScript classes of native objects. Each shares its native object with calls in flight, so dispose() and
// garbage collection never free what a thread still uses.
#pragma once

#include <napi.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "async.h"

namespace vssl::binding {

/// The class `Self` of objects that hold a `Native`. `Self` has kName and a static define(env); it may have
/// bytes_of(native), what the object keeps alive outside V8's heap.
template <typename Self, typename Native>
class Object : public Napi::ObjectWrap<Self> {
  using Wrap = Napi::ObjectWrap<Self>;

 public:
  using Held = std::shared_ptr<Native>;

  /// For make(), which alone has the one argument to give.
  explicit Object(const Napi::CallbackInfo& info) : Object(info, given(info)) {}
  void Finalize(Napi::BasicEnv env) override { release(env); }

  static Napi::Value make(Napi::Env env, Held native) {
    const auto argument = Napi::External<Held>::New(env, &native);
    return env.GetInstanceData<AddonData>()->classes.at(Self::kName).New({argument});
  }

  /// What an argument holds; ERR_VSSL_INVALID_ARGUMENT or ERR_VSSL_DISPOSED.
  static Held of(const Napi::Value& value) {
    const auto& classes = value.Env().GetInstanceData<AddonData>()->classes;
    if (!value.IsObject() || !value.As<Napi::Object>().InstanceOf(classes.at(Self::kName).Value()))
      throw Error("ERR_VSSL_INVALID_ARGUMENT", std::string("expected a ") + Self::kName);
    return Wrap::Unwrap(value.As<Napi::Object>())->get();
  }

 protected:
  Object(const Napi::CallbackInfo& info, Held held) : Wrap(info), held_(std::move(held)) {
    report(info.Env());
  }

  const Held& get() const {
    if (!held_)
      throw Error("ERR_VSSL_DISPOSED",
                  std::string("this ") + Self::kName + " was disposed of: create another");
    return held_;
  }

  static int64_t bytes_of(const Native&) { return 0; }

  /// Tells V8 what this object keeps alive outside its heap, as it grows.
  void report(Napi::BasicEnv env) {
    const int64_t bytes = held_ ? Self::bytes_of(*held_) : 0;
    if (bytes != reported_) Napi::MemoryManagement::AdjustExternalMemory(env, bytes - reported_);
    reported_ = bytes;
  }

  /// A method of the class: a guarded call of `Method`, which returns a value or nothing and is not reached
  /// after dispose(): that throws ERR_VSSL_DISPOSED, or does nothing where `Frees`.
  template <auto Method, bool Frees = false>
  Napi::Value call(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      if (Frees && !held_) return info.Env().Undefined();
      get();
      auto& self = static_cast<Self&>(*this);
      Napi::Value result = info.Env().Undefined();
      if constexpr (std::is_void_v<decltype((self.*Method)(info))>) {
        (self.*Method)(info);
      } else {
        result = (self.*Method)(info);
      }
      report(info.Env());
      return result;
    });
  }

  using Member = typename Wrap::PropertyDescriptor;

  template <auto Method, bool Frees = false>
  static Member method(const char* name) {
    return Wrap::InstanceMethod(name, &Self::template call<Method, Frees>);
  }

  /// The constructor, with dispose() beside `members`.
  static Napi::Function define_class(Napi::Env env, std::vector<Member> members) {
    members.push_back(Wrap::InstanceMethod("dispose", &Self::dispose));
    const auto constructor = Wrap::DefineClass(env, Self::kName, members);
    env.GetInstanceData<AddonData>()->classes[Self::kName] = Napi::Persistent(constructor);
    return constructor;
  }

 private:
  static Held given(const Napi::CallbackInfo& info) {
    if (info.Length() != 1 || !info[0].IsExternal())
      throw Napi::TypeError::New(info.Env(), std::string("a ") + Self::kName + " is made by the addon alone");
    return *info[0].As<Napi::External<Held>>().Data();
  }

  void dispose(const Napi::CallbackInfo& info) { release(info.Env()); }

  void release(Napi::BasicEnv env) {
    held_.reset();
    report(env);
  }

  Held held_;  // null when disposed of
  int64_t reported_ = 0;
};

}  // namespace vssl::binding
