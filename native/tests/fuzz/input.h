// What the fuzz targets share: numbers and choices read off a fuzzer's bytes, files that live in memory, and
// the rule that a target judges by: whatever comes in, nothing but a vssl::Error with a stable code goes out.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <vector>

#include "../../common/error.h"
#include "../video_testing.h"

namespace vssl::video::fuzz {

// A broken promise. Ends the process, so that the fuzzer keeps the input.
[[noreturn]] inline void broken(const std::string& what) {
  std::fprintf(stderr, "BROKEN PROMISE: %s\n", what.c_str());
  std::abort();
}

// Reads choices from the front of the input; once it has run out, every choice is 0.
class Choices {
 public:
  Choices(const uint8_t* data, size_t size) : at_(data), end_(data + size) {}

  uint8_t byte() { return at_ < end_ ? *at_++ : 0; }
  bool one_in(int n) { return byte() % n == n - 1; }
  uint64_t bits(int bytes) {
    uint64_t v = 0;
    for (int i = 0; i < bytes; ++i) v |= static_cast<uint64_t>(byte()) << (8 * i);
    return v;
  }
  int64_t between(int64_t lowest, int64_t highest) {
    return lowest + static_cast<int64_t>(bits(highest - lowest < 256 ? 1 : 8) %
                                         static_cast<uint64_t>(highest - lowest + 1));
  }
  template <typename T>
  const T& of(const std::vector<T>& list) {
    return list[byte() % list.size()];
  }
  size_t left() const { return static_cast<size_t>(end_ - at_); }
  const uint8_t* rest() const { return at_; }

 private:
  const uint8_t* at_;
  const uint8_t* const end_;
};

// A file of these bytes that needs no disk.
class MemoryFile {
 public:
  MemoryFile(const uint8_t* data, size_t size) : fd_(memfd_create("vssl-fuzz", MFD_CLOEXEC)) {
    size_t done = 0;
    while (done < size) {
      const ssize_t put = ::write(fd_, data + done, size - done);
      if (put <= 0) std::abort();
      done += static_cast<size_t>(put);
    }
  }
  ~MemoryFile() { ::close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  const int fd_;
};

inline void check_code(const std::string& code, const std::string& message) {
  if (code.rfind("ERR_VSSL_", 0) != 0 || message.empty())
    broken("an error without a code or text: " + code + ": " + message);
}

// True when `f` ended, false when it threw an Error as it may. Other exceptions leave: they are findings.
template <typename F>
bool ends_or_refuses(const F& f) {
  try {
    f();
    return true;
  } catch (const Error& e) {
    check_code(e.code, e.what());
    return false;
  }
}

// Every failure has a code and a reason, belongs to a clip, and left zeros; everything else is finite.
inline void check_result(const LoadResult& result, bool finite = true) {
  if (!result.batch) broken("no batch");
  for (const ClipFailure& f : result.failures) {
    check_code(f.code, f.reason);
    const ViewBuffer& view = result.batch->views.at(static_cast<size_t>(f.view));
    if (f.sample < 0 || view.row_of(f.sample) < 0) broken("a failure of no clip");
  }
  if (!finite) return;
  for (const float v : floats(*result.batch)) {
    if (!(v - v == 0)) broken("a value that is not finite");
  }
}

}  // namespace vssl::video::fuzz
