#include "kernels_load.h"

#include <string>

#include "kernels_guard.h"

#if defined(_WIN32)
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace vssl::binding {
namespace {

const char kAnchor = 0;  // an address inside this library

void open_globally(const std::string& path) {
#if defined(_WIN32)
  if (LoadLibraryA(path.c_str()) == nullptr) throw Error("ERR_VSSL_LOAD", "cannot load " + path);
#else
  if (dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    const char* reason = dlerror();
    throw Error("ERR_VSSL_LOAD", reason != nullptr ? reason : "cannot load " + path);
  }
#endif
}

}  // namespace

void preload(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] {
    if (info.Length() != 1 || !info[0].IsString())
      throw Error(kInvalidArgument, "expected a string for path");
    open_globally(info[0].As<Napi::String>().Utf8Value());
  });
}

void stay_loaded() {
#if defined(_WIN32)
  HMODULE self;
  GetModuleHandleExA(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, &kAnchor, &self);
#else
  Dl_info self;
  if (dladdr(&kAnchor, &self) != 0) dlopen(self.dli_fname, RTLD_NOW | RTLD_NODELETE);
#endif
}

}  // namespace vssl::binding
