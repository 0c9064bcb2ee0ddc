// Memory for tensors, batches and workspaces, kept when it is given back. Systems hand out large memory page
// by page, each page a fault of its own, and take it back at once; a training step asks for what the step
// before gave back. Blocks are cut from segments of at least 2 MB, the best fit first, and joined with their
// neighbours again.
#pragma once

#include <cstddef>

namespace vssl {

/// `bytes` of uninitialised memory on a 64-byte boundary; from any thread. Where this process would come to
/// hold more than memory_limit(), all that is kept goes back to the system first; then throws vssl::Error
/// (ERR_VSSL_OUT_OF_MEMORY), which names what was asked for and the limit.
void* take_memory(std::size_t bytes);

/// For what take_memory() gave, from any thread; null is nothing.
void give_memory(void* memory) noexcept;

/// Gives back to the system whatever is kept and not in use.
void release_kept_memory() noexcept;

/// Whether the system gives large blocks pages of 2 MB: fresh memory is then cheap, 512 times fewer faults.
bool has_huge_pages();

struct KeptMemory {
  std::size_t used = 0;  ///< bytes of blocks in use
  std::size_t kept = 0;  ///< bytes of free blocks, at most half of memory_limit()
};
KeptMemory kept_memory();

}  // namespace vssl
