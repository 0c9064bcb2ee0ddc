#include "pin.h"

#if defined(_WIN32)
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace vssl::binding {
namespace {

const char kAnchor = 0;  // an address inside this library

}  // namespace

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
