#include "kernels_async.h"

namespace vssl::binding {

Executor& kernel_threads() {
  static Executor* const threads = new Executor(4);  // never destroyed: calls may run while the process ends
  return *threads;
}

std::shared_ptr<Dispatcher> dispatcher_of(Napi::Env env) {
  return *env.GetInstanceData<std::shared_ptr<Dispatcher>>();
}

}  // namespace vssl::binding
