#include "workspace.h"

#include <algorithm>
#include <fstream>
#include <mutex>
#include <new>
#include <string>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace vssl {
namespace {

constexpr std::size_t kLine = 64;
constexpr std::size_t kHugePage = std::size_t{2} << 20;
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

std::align_val_t alignment_of(std::size_t bytes) {
  return std::align_val_t{bytes >= 2 * kHugePage ? kHugePage : kLine};
}

char* acquire(std::size_t bytes) {
  char* const data = static_cast<char*>(::operator new(bytes, alignment_of(bytes)));
#if defined(__linux__)
  if (bytes >= 2 * kHugePage) madvise(data, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);  // may be refused
#endif
  return data;
}

void release(const Block& block) { ::operator delete(block.data, alignment_of(block.size)); }

}  // namespace

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
  data_ = acquire(bytes);
  size_ = bytes;
}

Workspace::~Workspace() {
  if (size_ > kKeptBytes) {
    release({data_, size_});
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
    release(*block);
    *block = Block{};
  }
}

}  // namespace vssl
