#include "engine_async.h"

#include <new>
#include <string>

#include "../common/error.h"

namespace vssl::binding {

Executor& jobs(Napi::Env env) {
  auto& executor = env.GetInstanceData<AddonData>()->jobs;
  if (!executor) executor = shared_off_loop<Executor>(2);
  return *executor;
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
