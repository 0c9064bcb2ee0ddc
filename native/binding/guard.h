// Where native exceptions become JavaScript errors with a `code`.
#pragma once

#include <napi.h>

#include <exception>
#include <new>
#include <string>

#include "../common/error.h"

namespace vssl::binding {

/// A JavaScript Error with the code of a native exception.
inline Napi::Value to_js_error(Napi::Env env, std::exception_ptr error) {
  const auto make = [env](const std::string& code, const std::string& message) {
    Napi::Error made = Napi::Error::New(env, message);
    made.Set("code", Napi::String::New(env, code));
    return made.Value();
  };
  try {
    std::rethrow_exception(error);
  } catch (const Error& e) {
    return make(e.code, e.what());
  } catch (const std::bad_alloc&) {
    return make("ERR_VSSL_OUT_OF_MEMORY",
                "not enough memory for this call; use a smaller batch, clip or cache");
  } catch (const std::exception& e) {
    return make("ERR_VSSL_INTERNAL", e.what());
  } catch (...) {
    return make("ERR_VSSL_INTERNAL", "unknown native error");
  }
}

/// Runs `body`; its native exceptions are thrown as JavaScript errors, JavaScript's own pass through.
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

/// exports[name] = Function(const Napi::CallbackInfo&), guarded.
template <auto Function>
void add_function(Napi::Object exports, const char* name) {
  const auto call = [](const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] { return Function(info); });
  };
  exports.Set(name, Napi::Function::New(exports.Env(), call, name));
}

}  // namespace vssl::binding
