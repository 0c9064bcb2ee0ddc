// Scratch memory of one call. A few freed blocks are kept, so that small kernels called in a loop do not pay
// page faults each time.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vssl {

/// Whether the system gives large workspaces pages of 2 MB: fresh memory is then cheap, 512 times fewer
/// faults.
bool has_huge_pages();

class Workspace {
 public:
  /// Uninitialised bytes, 64-byte aligned. Throws std::bad_alloc.
  explicit Workspace(std::size_t bytes);
  ~Workspace();
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
  char* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t used_ = 0;
};

}  // namespace vssl
