// Scratch memory of one call, kept for the next.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../common/kept_memory.h"

namespace vssl {

class Workspace {
 public:
  /// Uninitialised bytes, 64-byte aligned. Throws as take_memory().
  explicit Workspace(std::size_t bytes) : data_(static_cast<char*>(take_memory(bytes))) {}
  ~Workspace() { give_memory(data_); }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  /// Carves the next `count` elements of T, 64-byte aligned. The caller has sized the block for them.
  template <typename T>
  T* take(int64_t count) {
    T* result = reinterpret_cast<T*>(data_ + used_);
    used_ += padded(count * static_cast<int64_t>(sizeof(T)));
    return result;
  }

  static std::size_t padded(int64_t bytes) { return (static_cast<std::size_t>(bytes) + 63) / 64 * 64; }

 private:
  char* const data_;
  std::size_t used_ = 0;
};

}  // namespace vssl
