// The fibers of cuda_emulator.h.
#include "cuda_emulator.h"

#include <sys/mman.h>

#ifdef __SANITIZE_ADDRESS__
extern "C" void __asan_unpoison_memory_region(const volatile void*, std::size_t);
#endif

#if !defined(__x86_64__)
#error "the emulator switches stacks in x86-64 assembly"
#endif

// Saves what a called function must keep, and its stack, in *save; goes on where `to` was saved.
asm(R"(
.text
.globl vssl_emulator_switch
.type vssl_emulator_switch, @function
vssl_emulator_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size vssl_emulator_switch, .-vssl_emulator_switch
)");

namespace vssl::emulator {
namespace {

constexpr std::size_t kStackBytes = 128 * 1024;
constexpr std::size_t kRoundsAsleep = 100;
const std::function<void()>* running = nullptr;

// A thread's whole life. It never returns: its stack has no caller.
void live() {
  (*running)();
  if (!current->copies.empty()) fail("a thread ends with copies that it did not wait for");
  current->done = true;
  current->warp->slots[current->linear % 32] = nullptr;
  --current->warp->live;
  --current->block->live;
  idle_turns = 0;
  void* ignored;
  vssl_emulator_switch(&ignored, scheduler_stack_pointer);
  std::abort();
}

unsigned char* stacks(std::size_t count) {
  static unsigned char* memory = nullptr;
  static std::size_t size = 0;
  if (count > size) {
    if (memory != nullptr) munmap(memory, size * kStackBytes);
    size = count;
    void* const fresh = mmap(nullptr, size * kStackBytes, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (fresh == MAP_FAILED) throw std::runtime_error("no memory for the emulator's stacks");
    memory = static_cast<unsigned char*>(fresh);
  }
  return memory;
}

}  // namespace

void run_cluster(const std::function<void()>& kernel, dim3 first, dim3 grid, dim3 block, int size,
                 std::size_t shared_bytes) {
  Cluster now;
  cluster = &now;
  running = &kernel;
  const int count = static_cast<int>(block.x);
  std::vector<std::unique_ptr<unsigned char, decltype(&std::free)>> memories;
  now.threads.resize(static_cast<std::size_t>(size * count));
#ifdef __SANITIZE_ADDRESS__
  // Threads end without returning: what they left on their stacks is not poison for the next.
  __asan_unpoison_memory_region(stacks(now.threads.size()), now.threads.size() * kStackBytes);
#endif
  for (int rank = 0; rank < size; ++rank) {
    now.blocks.push_back(std::make_unique<Block>());
    Block& b = *now.blocks.back();
    b.index = dim3(first.x + static_cast<unsigned>(rank), first.y, first.z);
    b.size = block;
    b.grid = grid;
    b.rank = rank;
    b.live = count;
    b.warps.resize((count + 31) / 32);
    b.warpgroups.resize((count + 127) / 128);
    b.shared_bytes = shared_bytes;
    const std::size_t rounded = (shared_bytes + 1024) / 1024 * 1024;
    memories.emplace_back(static_cast<unsigned char*>(std::aligned_alloc(1024, rounded)), &std::free);
    b.shared = memories.back().get();
    std::memset(b.shared, 0xff, rounded);
    for (int i = 0; i < count; ++i) {
      Thread& thread = now.threads[rank * count + i];
      thread.index = dim3(static_cast<unsigned>(i), 0, 0);
      thread.linear = i;
      thread.block = &b;
      thread.warp = &b.warps[i / 32];
      ++thread.warp->live;
      unsigned char* const top = stacks(now.threads.size()) + (rank * count + i + 1) * kStackBytes;
      // As if vssl_emulator_switch had been called from live()'s caller: six registers, then the return
      // address, which leaves the stack as a call does.
      void** const frame = reinterpret_cast<void**>(top) - 8;
      std::memset(frame, 0, 8 * sizeof(void*));
      frame[6] = reinterpret_cast<void*>(&live);
      thread.stack_pointer = frame;
    }
  }
  idle_turns = 0;
  std::size_t round = 0;
  for (std::size_t left = now.threads.size(); left > 0; ++round) {
    // Half of the time nobody sleeps.
    const std::size_t asleep =
        settings.uneven ? round / kRoundsAsleep % (now.threads.size() / 16 + 1) : now.threads.size();
    for (std::size_t turn = 0; turn < now.threads.size(); ++turn) {
      Thread& thread = now.threads[settings.backward ? now.threads.size() - 1 - turn : turn];
      if (thread.done || (&thread - now.threads.data()) / 32 == static_cast<std::ptrdiff_t>(asleep)) continue;
      current = &thread;
      threadIdx = thread.index;
      blockIdx = thread.block->index;
      blockDim = thread.block->size;
      gridDim = thread.block->grid;
      vssl_emulator_switch(&scheduler_stack_pointer, thread.stack_pointer);
      if (thread.done) --left;
    }
  }
  current = nullptr;
  cluster = nullptr;
}

}  // namespace vssl::emulator
