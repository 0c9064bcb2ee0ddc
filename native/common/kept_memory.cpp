#include "kept_memory.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <mutex>
#include <new>
#include <set>
#include <string>

#include "memory.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define VSSL_PLAIN_MEMORY 1  // a sanitizer sees the end of a block only where the C library makes it
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) || __has_feature(thread_sanitizer)
#define VSSL_PLAIN_MEMORY 1
#endif
#endif

namespace vssl {
namespace {

constexpr std::size_t kLine = 64;
constexpr std::size_t kLeast = 4 << 10;  // smaller blocks are the C library's
constexpr std::size_t kHugePage = 2 << 20;
constexpr std::size_t kSmall = 1 << 20;  // smaller blocks have segments of their own: they are kept longer
constexpr std::size_t kSmallSegment = 8 << 20;
constexpr std::size_t kMostGrowth = 64 << 20;  // of a segment beyond what is asked for

std::size_t padded(std::size_t bytes, std::size_t step) { return (bytes + step - 1) / step * step; }

#if defined(VSSL_PLAIN_MEMORY)
constexpr bool kKeeps = false;
#else
constexpr bool kKeeps = true;
#endif

// Part of a segment. Its neighbours are what lies before and after it there.
struct Block {
  char* data;
  std::size_t size;
  bool free;
  bool small;
  Block* before;
  Block* after;
};

// In front of what is handed out; null where the C library gave it.
struct alignas(kLine) Header {
  Block* block;
};

struct BySize {
  bool operator()(const Block* a, const Block* b) const {
    return a->size != b->size ? a->size < b->size : a->data < b->data;
  }
};

// Bytes that this process holds in memory, 0 where the system does not tell.
double resident_bytes() {
#if defined(__linux__)
  double pages = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%*s %lf", &pages) != 1) pages = 0;
    std::fclose(file);
  }
  return pages * static_cast<double>(sysconf(_SC_PAGESIZE));
#else
  return 0;
#endif
}

char* map_segment(std::size_t bytes) {
#if defined(__linux__)
  // Mapped with room to begin at a large page; what is too much goes back.
  const std::size_t room = bytes + kHugePage;
  void* const start = mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) return nullptr;
  const auto address = reinterpret_cast<std::uintptr_t>(start);
  const std::size_t head = padded(address, kHugePage) - address;
  char* const data = static_cast<char*>(start) + head;
  if (head > 0) munmap(start, head);
  munmap(data + bytes, room - head - bytes);
  madvise(data, bytes, MADV_HUGEPAGE);  // may be refused
  return data;
#else
  return static_cast<char*>(::operator new (bytes, std::align_val_t{kHugePage}, std::nothrow));
#endif
}

void unmap_segment(char* data, [[maybe_unused]] std::size_t bytes) {
#if defined(__linux__)
  munmap(data, bytes);
#else
  ::operator delete (data, std::align_val_t{kHugePage});
#endif
}

class Pool {
 public:
  void* take(std::size_t bytes) {
    const std::size_t size = padded(bytes + sizeof(Header), kLine);
    const std::lock_guard<std::mutex> lock(mutex_);
    Block* block = best_fit(size);
    if (block == nullptr) block = grow(size, bytes);
    free_[block->small].erase(block);
    kept_ -= block->size;
    split(block, size);
    block->free = false;
    used_ += block->size;
    return handed_out(block->data, block);
  }

  void give(Block* block) {
    const std::lock_guard<std::mutex> lock(mutex_);
    used_ -= block->size;
    kept_ += block->size;
    block->free = true;
    block = joined(block);
    free_[block->small].insert(block);
    if (static_cast<double>(kept_) > memory_limit() / 2) release();
  }

  void release_all() {
    const std::lock_guard<std::mutex> lock(mutex_);
    release();
  }

  KeptMemory state() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return {used_, kept_};
  }

  static void* handed_out(char* data, Block* block) {
    return reinterpret_cast<char*>(new (data) Header{block}) + sizeof(Header);
  }

 private:
  Block* best_fit(std::size_t size) {
    Block wanted{nullptr, size, true, size < kSmall, nullptr, nullptr};
    const auto found = free_[wanted.small].lower_bound(&wanted);
    return found == free_[wanted.small].end() ? nullptr : *found;
  }

  // A new segment of one free block.
  Block* grow(std::size_t size, std::size_t asked) {
    const bool small = size < kSmall;
    const std::size_t exact = padded(size, kHugePage);
    // The more there is, the larger the next: few segments, and not much more than is asked for.
    const std::size_t wanted =
        small ? kSmallSegment : padded(std::max(size, std::min(kMostGrowth, mapped_ / 4)), kHugePage);
    for (const std::size_t bytes : {wanted, exact}) {
      if (!has_room(bytes)) release();
      if (!has_room(bytes)) continue;
      char* data = map_segment(bytes);
      if (data == nullptr) {
        release();
        data = map_segment(bytes);
      }
      if (data == nullptr) continue;
      auto* block = new Block{data, bytes, true, small, nullptr, nullptr};
      free_[small].insert(block);
      mapped_ += bytes;
      kept_ += bytes;
      return block;
    }
    char text[160];
    std::snprintf(text, sizeof(text),
                  "%zu bytes more were asked for; this process holds %.0f of the %.0f that it can have",
                  asked, std::max(resident_bytes(), static_cast<double>(mapped_)), memory_limit());
    throw Error("ERR_VSSL_OUT_OF_MEMORY", text);
  }

  bool has_room(std::size_t bytes) const {
    const double held = std::max(resident_bytes(), static_cast<double>(mapped_));
    return held + static_cast<double>(bytes) <= memory_limit();
  }

  // Leaves `size` of a block that is in no list, the rest to a free one.
  void split(Block* block, std::size_t size) {
    const std::size_t rest = block->size - size;
    if (rest < kLeast) return;
    auto* tail = new Block{block->data + size, rest, true, block->small, block, block->after};
    if (tail->after != nullptr) tail->after->before = tail;
    block->after = tail;
    block->size = size;
    free_[tail->small].insert(tail);
    kept_ += rest;
    // The caller took the whole block off `kept_`.
  }

  // A free block in no list, with the free ones before and after it.
  Block* joined(Block* block) {
    if (Block* const after = block->after; after != nullptr && after->free) {
      free_[after->small].erase(after);
      swallow(block, after);
    }
    if (Block* const before = block->before; before != nullptr && before->free) {
      free_[before->small].erase(before);
      swallow(before, block);
      return before;
    }
    return block;
  }

  static void swallow(Block* block, Block* after) {
    block->size += after->size;
    block->after = after->after;
    if (block->after != nullptr) block->after->before = block;
    delete after;
  }

  // Whole segments go; of others the large pages within free blocks.
  void release() {
    for (auto& list : free_) {
      for (auto it = list.begin(); it != list.end();) {
        Block* const block = *it;
        if (block->before == nullptr && block->after == nullptr) {
          kept_ -= block->size;
          mapped_ -= block->size;
          unmap_segment(block->data, block->size);
          delete block;
          it = list.erase(it);
          continue;
        }
        drop_pages(*block);
        ++it;
      }
    }
  }

  static void drop_pages([[maybe_unused]] const Block& block) {
#if defined(__linux__)
    const auto begin = padded(reinterpret_cast<std::uintptr_t>(block.data), kHugePage);
    const auto end = reinterpret_cast<std::uintptr_t>(block.data + block.size) / kHugePage * kHugePage;
    if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
#endif
  }

  std::mutex mutex_;
  std::set<Block*, BySize> free_[2];  // large, small
  std::size_t used_ = 0, kept_ = 0, mapped_ = 0;
};

// Never destroyed: a call may still run while the process exits.
Pool& pool() {
  static Pool* const instance = new Pool;
  return *instance;
}

}  // namespace

void* take_memory(std::size_t bytes) {
  check_memory(static_cast<double>(bytes), "a block");
  if (kKeeps && bytes + sizeof(Header) >= kLeast) return pool().take(bytes);
  auto* const data = static_cast<char*>(::operator new (bytes + sizeof(Header), std::align_val_t{kLine}));
  return Pool::handed_out(data, nullptr);
}

void give_memory(void* memory) noexcept {
  if (memory == nullptr) return;
  char* const data = static_cast<char*>(memory) - sizeof(Header);
  Block* const block = reinterpret_cast<Header*>(data)->block;
  if (block != nullptr) {
    pool().give(block);
  } else {
    ::operator delete (data, std::align_val_t{kLine});
  }
}

void release_kept_memory() noexcept { pool().release_all(); }

bool has_huge_pages() {
#if defined(__linux__)
  static const bool there = [] {
    std::ifstream file("/sys/kernel/mm/transparent_hugepage/enabled");
    std::string text;
    std::getline(file, text);
    return text.find("[always]") != std::string::npos || text.find("[madvise]") != std::string::npos;
  }();
  return there;
#else
  return false;
#endif
}

KeptMemory kept_memory() { return pool().state(); }

}  // namespace vssl
