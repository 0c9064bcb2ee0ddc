#include "workspace.h"

#include <mutex>
#include <new>

namespace vssl {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kKeptBytes = std::size_t{16} << 20;  // a larger block goes back at once
constexpr int kKeptBlocks = 4;

struct Block {
  char* data = nullptr;
  std::size_t size = 0;
};

struct Cache {
  std::mutex mutex;
  Block blocks[kKeptBlocks];
};

// Never destroyed, like the thread pool: a call may still run while the process exits.
Cache& cache() {
  static Cache* const instance = new Cache;
  return *instance;
}

void release(char* data) { ::operator delete (data, std::align_val_t{kAlignment}); }

}  // namespace

Workspace::Workspace(std::size_t bytes) {
  {
    std::lock_guard<std::mutex> lock(cache().mutex);
    Block* best = nullptr;
    for (Block& block : cache().blocks) {
      if (block.size >= bytes && block.data != nullptr && (best == nullptr || block.size < best->size))
        best = &block;
    }
    if (best != nullptr) {
      data_ = best->data;
      size_ = best->size;
      *best = Block{};
      return;
    }
  }
  data_ = static_cast<char*>(::operator new (bytes, std::align_val_t{kAlignment}));
  size_ = bytes;
}

Workspace::~Workspace() {
  char* unwanted = data_;
  if (size_ <= kKeptBytes) {
    std::lock_guard<std::mutex> lock(cache().mutex);
    Block* smallest = &cache().blocks[0];
    for (Block& block : cache().blocks) {
      if (block.size < smallest->size) smallest = &block;
    }
    if (smallest->size < size_) {
      unwanted = smallest->data;
      *smallest = Block{data_, size_};
    }
  }
  if (unwanted != nullptr) release(unwanted);
}

}  // namespace vssl
