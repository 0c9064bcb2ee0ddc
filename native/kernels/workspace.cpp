#include "workspace.h"

#include <algorithm>
#include <mutex>
#include <new>

namespace vssl {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kKeptBytes = std::size_t{64} << 20;  // in all
constexpr int kKeptBlocks = 4;

struct Block {
  char* data = nullptr;
  std::size_t size = 0;
};

struct Cache {
  std::mutex mutex;
  Block blocks[kKeptBlocks + 1];  // the last one is empty but while a block is put back
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
  if (size_ > kKeptBytes) {
    release(data_);
    return;
  }
  std::lock_guard<std::mutex> lock(cache().mutex);
  Block* const begin = cache().blocks;
  Block* const end = begin + kKeptBlocks + 1;
  *std::find_if(begin, end, [](const Block& b) { return b.data == nullptr; }) = Block{data_, size_};
  const auto descending = [](const Block& a, const Block& b) { return a.size > b.size; };
  std::sort(begin, end, descending);
  std::size_t total = 0;
  for (Block* block = begin; block != end; ++block) {
    total += block->size;
    if (block->data == nullptr || (total <= kKeptBytes && block != end - 1)) continue;
    total -= block->size;
    release(block->data);
    *block = Block{};
  }
}

}  // namespace vssl
