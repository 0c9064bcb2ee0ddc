#include "engine_exit.h"

#include <cstdio>
#include <cstdlib>

#include "../common/ending.h"

#if !defined(_WIN32)
#include <dlfcn.h>
#endif

namespace vssl::binding {

namespace {

constexpr std::chrono::milliseconds kPatience{200}, kSetUp{250};

void put_terminal_back() {
#if !defined(_WIN32)
  if (auto* const reset = reinterpret_cast<int (*)()>(dlsym(RTLD_DEFAULT, "uv_tty_reset_mode"))) reset();
#endif
}

void finish_or_leave(int code) {
  if (ending::begin_and_wait(kPatience)) return;
  put_terminal_back();
  std::fflush(nullptr);
  std::_Exit(code);
}

#if !defined(__GLIBC__)
int exit_code = 0;
#endif

}  // namespace

void wait_for_none(const std::atomic<int>& at_work) {
  const auto deadline = std::chrono::steady_clock::now() + kSetUp;
  while (at_work != 0 && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

void guard_exit(int code) {
#if defined(__GLIBC__)
  (void)code;
  on_exit([](int status, void*) { finish_or_leave(status); }, nullptr);
#else
  if (code != kUnknownCode) exit_code = code;
  std::atexit([] { finish_or_leave(exit_code); });
#endif
}

}  // namespace vssl::binding
