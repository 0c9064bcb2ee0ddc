#include "kernels_load.h"

#include <string>

#include "async.h"

#if defined(_WIN32)
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace vssl::binding {
namespace {

// Stays open: what the library has registered to be run at exit must be there.
void open_library(const std::string& path, bool globally) {
#if defined(_WIN32)
  (void)globally;
  if (LoadLibraryA(path.c_str()) == nullptr) throw Error("ERR_VSSL_LOAD", "cannot load " + path);
#else
  if (dlopen(path.c_str(), globally ? RTLD_NOW | RTLD_GLOBAL : RTLD_LAZY | RTLD_LOCAL) == nullptr) {
    const char* reason = dlerror();
    throw Error("ERR_VSSL_LOAD", reason != nullptr ? reason : "cannot load " + path);
  }
#endif
}

std::string path_of(const Napi::CallbackInfo& info) {
  if (info.Length() != 1 || !info[0].IsString()) throw Error(kInvalidArgument, "expected a string for path");
  return info[0].As<Napi::String>().Utf8Value();
}

}  // namespace

void preload(const Napi::CallbackInfo& info) { open_library(path_of(info), true); }

Napi::Value preload_async(const Napi::CallbackInfo& info) {
  return run_async(info.Env(), jobs(info.Env()), [path = path_of(info)] { open_library(path, false); });
}

}  // namespace vssl::binding
