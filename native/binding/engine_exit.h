#pragma once

#include <atomic>

namespace vssl::binding {

/// Waits until nothing is at work, or for as long as an operation of libtorch may take to set itself up: what
/// it registers to be run at exit is then registered before guard_exit.
void wait_for_none(const std::atomic<int>& at_work);

constexpr int kUnknownCode = -1;

/// At exit(), keeps the static objects of libtorch, FFmpeg and OpenCV from being destroyed under threads that
/// use them: lets nothing new begin, waits a fifth of a second for what runs, and where something runs still
/// (a step may take seconds), ends the process there and then with the exit code it was given. Standard
/// output is flushed and the terminal put back; exit handlers that were registered before do not run then.
///
/// Handlers run latest first, and libtorch registers some as it goes: call this when the addon loads, when
/// an environment ends and when the process is about to. `code` is for systems that do not tell handlers the
/// exit code (all but those with glibc); kUnknownCode leaves what was said before.
void guard_exit(int code);

}  // namespace vssl::binding
