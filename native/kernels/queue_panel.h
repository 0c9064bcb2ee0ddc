// The memory of 64 queued keys, and the norm of rows that come in.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>

#include "queue_tiles.h"

namespace vssl::queue {

/// In double, in an order that every compiler keeps.
inline double squared_norm(const float* x, int64_t dim) {
  double lanes[4] = {};
  int64_t k = 0;
  for (; k + 4 <= dim; k += 4) {
    for (int l = 0; l < 4; ++l) lanes[l] += static_cast<double>(x[k + l]) * x[k + l];
  }
  double sum = (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]);
  for (; k < dim; ++k) sum += static_cast<double>(x[k]) * x[k];
  return sum;
}

constexpr std::align_val_t kPanelAlignment{64};

struct FreePanel {
  void operator()(void* data) const { ::operator delete(data, kPanelAlignment); }
};

template <typename T>
std::unique_ptr<T[], FreePanel> allocate_zeros(int64_t count) {
  const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(T);
  std::unique_ptr<T[], FreePanel> data(static_cast<T*>(::operator new(bytes, kPanelAlignment)));
  std::memset(data.get(), 0, bytes);
  return data;
}

/// Keys in the layout of queue_tiles.h, and their birth stamps. Whoever shares a panel only reads it, but for
/// the bf16 copy, which is made when it is first asked for.
struct Panel {
  Panel(int64_t padded_dim, bool with_ids)
      : size(kKeyPanel * padded_dim),
        values(allocate_zeros<float>(size)),
        born{},
        ids(with_ids ? new int64_t[kKeyPanel] : nullptr) {}

  Panel(const Panel& other) : Panel(other.size / kKeyPanel, other.ids != nullptr) {
    std::copy_n(other.values.get(), size, values.get());
    std::copy_n(other.born, kKeyPanel, born);
    if (ids) std::copy_n(other.ids.get(), kKeyPanel, ids.get());
  }
  Panel& operator=(const Panel&) = delete;

  float* row(int64_t r) { return values.get() + r * kBlock; }
  const float* row(int64_t r) const { return values.get() + r * kBlock; }

  const uint32_t* packed(const QueueBf16Tiles& tiles, int64_t dim) {
    if (!is_packed.load(std::memory_order_acquire)) {
      std::lock_guard<std::mutex> lock(packing);
      if (!is_packed.load(std::memory_order_relaxed)) {
        if (words == nullptr) words = allocate_zeros<uint32_t>(size / 2);
        tiles.pack(words.get(), values.get(), dim);
        has_words.store(true, std::memory_order_relaxed);
        is_packed.store(true, std::memory_order_release);
      }
    }
    return words.get();
  }

  int64_t bytes() const {
    const int64_t floats = has_words.load(std::memory_order_relaxed) ? size + size / 2 : size;
    return floats * static_cast<int64_t>(sizeof(float)) + static_cast<int64_t>(sizeof(Panel)) +
           (ids ? kKeyPanel * static_cast<int64_t>(sizeof(int64_t)) : 0);
  }

  const int64_t size;  // floats
  std::unique_ptr<float[], FreePanel> values;
  uint32_t born[kKeyPanel];
  const std::unique_ptr<int64_t[]> ids;  // where keys have numbers
  std::atomic<bool> is_packed{false};    // words say what values say

 private:
  std::mutex packing;
  std::atomic<bool> has_words{false};
  std::unique_ptr<uint32_t[], FreePanel> words;
};

}  // namespace vssl::queue
