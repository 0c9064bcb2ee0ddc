// The Hopper instructions of cuda_emulator.h: barriers in shared memory, bulk copies, wgmma, clusters.
#pragma once

namespace vssl::cuda {

/// A barrier's 64 bits: how many arrivals a phase takes, how many are missing, bytes under way, parity.
struct SharedBarrier {
  uint16_t expected, missing;
  uint32_t state;  // parity in bit 31; bytes under way, biased
};
static_assert(sizeof(SharedBarrier) == 8, "a barrier has 8 bytes");
constexpr uint32_t kBytesBias = 1u << 24;

inline SharedBarrier& barrier_at(uint32_t address) {
  if (address % 8 != 0) emulator::fail("a barrier is not aligned");
  return *reinterpret_cast<SharedBarrier*>(emulator::shared_at(address, 8));
}

inline void complete_phase(SharedBarrier& barrier) {
  const uint32_t bytes = barrier.state & 0x7fffffff;
  if (barrier.missing != 0 || bytes != kBytesBias) return;
  barrier.missing = barrier.expected;
  barrier.state ^= 1u << 31;
  emulator::idle_turns = 0;
}

inline void barrier_init(uint32_t address, uint32_t arrivals) {
  barrier_at(address) = {static_cast<uint16_t>(arrivals), static_cast<uint16_t>(arrivals), kBytesBias};
}
inline void barriers_ready() {}

inline void barrier_expect(uint32_t address, uint32_t bytes) {
  SharedBarrier& barrier = barrier_at(address);
  if (barrier.missing == 0) emulator::fail("more arrivals at a barrier than it expects");
  barrier.state += bytes;
  --barrier.missing;
  complete_phase(barrier);
}
inline void barrier_arrive(uint32_t address) {
  barrier_expect(address, 0);
  emulator::yield();  // whoever waits for it may be the next
}

inline void barrier_wait(uint32_t address, uint32_t parity) {
  using namespace emulator;
  const auto ended = [&] { return barrier_at(address).state >> 31 != parity; };
  void* const mine = &barrier_at(address);
  wait_until([&] {
    // Late copies come when somebody waits for them.
    for (std::size_t i = 0; i < cluster->bulk.size() && !ended();) {
      if (cluster->bulk[i].first != mine) {
        ++i;
        continue;
      }
      const auto copy = cluster->bulk[i].second;
      cluster->bulk.erase(cluster->bulk.begin() + static_cast<std::ptrdiff_t>(i));
      copy();
    }
    return ended();
  });
}

inline void bulk_copy(uint32_t to_shared, const void* from_global, uint32_t bytes, uint32_t barrier) {
  using namespace emulator;
  if (to_shared % 16 != 0 || bytes % 16 != 0 || reinterpret_cast<std::uintptr_t>(from_global) % 16 != 0)
    fail("a bulk copy is not aligned");
  unsigned char* const to = shared_at(to_shared, bytes);
  SharedBarrier& completes = barrier_at(barrier);
  const auto copy = [=, &completes] {
    std::memcpy(to, from_global, bytes);
    completes.state -= bytes;
    complete_phase(completes);
  };
  if (settings.late_copies) {
    cluster->bulk.emplace_back(&completes, copy);
  } else {
    copy();
  }
}

inline emulator::Warpgroup& own_warpgroup() {
  return emulator::current->block->warpgroups[emulator::current->linear / 128];
}

/// A warpgroup's common operation, as emulator::warp_together().
template <typename T, typename Work>
void warpgroup_together(const char* what, T& mine, Work&& work) {
  emulator::Warpgroup& group = own_warpgroup();
  group.slots[emulator::current->linear % 128] = &mine;
  if (!emulator::arrive(group, 128, what)) return;
  work(group, reinterpret_cast<T**>(group.slots));
  emulator::release(group);
}

inline void products_begin() {}

inline void products_commit() {
  int nothing = 0;
  warpgroup_together("wgmma.commit_group", nothing, [](emulator::Warpgroup& group, int**) {
    group.groups.push_back(std::move(group.open));
    group.open.clear();
  });
}

template <int kGroups>
void products_wait() {
  int nothing = 0;
  warpgroup_together("wgmma.wait_group", nothing, [](emulator::Warpgroup& group, int**) {
    while (group.groups.size() > kGroups) {
      for (const auto& product : group.groups.front()) product();
      group.groups.pop_front();
    }
  });
}

/// Element (row, column) of a 128-byte swizzled operand, `row` of the eight 8-row groups' index; for operands
/// along rows `column` is k, and for operands along dims `row` is k.
inline float swizzled(uint64_t descriptor, int row, int column) {
  if (descriptor >> 62 != 1) emulator::fail("a descriptor is not of 128-byte swizzle");
  const uint32_t start = static_cast<uint32_t>(descriptor & 0x3fff) << 4;
  const uint32_t leading = static_cast<uint32_t>(descriptor >> 16 & 0x3fff) << 4;
  const uint32_t stride = static_cast<uint32_t>(descriptor >> 32 & 0x3fff) << 4;
  const uint32_t rank = static_cast<uint32_t>(emulator::current->block->rank) << 24;
  uint32_t address = start + static_cast<uint32_t>(row % 8 * 128 + column % 64 * 2) +
                     static_cast<uint32_t>(row / 8) * stride + static_cast<uint32_t>(column / 64) * leading;
  address ^= (address >> 7 & 7) << 4;
  uint16_t bits;
  std::memcpy(&bits, emulator::shared_at(rank | address, 2), 2);
  return emulator::of_bf16(bits);
}

struct WarpgroupProduct {
  float* d;
  uint64_t a, b;
  uint32_t registers[4];
};

// D of kColumns columns from A(i, k), k < 16, and B.
template <int kColumns, typename A>
void multiply_warpgroup(float* const (&d)[128], bool accumulates, bool along_dims, uint64_t b, const A& a) {
  for (int column = 0; column < kColumns; ++column) {
    float of_b[16];
    for (int k = 0; k < 16; ++k) of_b[k] = along_dims ? swizzled(b, k, column) : swizzled(b, column, k);
    for (int row = 0; row < 64; ++row) {
      const int thread = row / 16 * 32 + row % 8 * 4 + column % 8 / 2;
      float& to = d[thread][column / 8 * 4 + row % 16 / 8 * 2 + column % 2];
      float sum = accumulates ? to : 0.0f;
      for (int k = 0; k < 16; ++k) sum += a[row][k] * of_b[k];
      to = sum;
    }
  }
}

using Operand64x16 = std::vector<std::vector<float>>;

template <int kColumns>
void issue_product(float* d, uint64_t a_descriptor, const uint32_t* a_registers, uint64_t b,
                   bool accumulates) {
  WarpgroupProduct mine{d, a_descriptor, b, {}};
  for (int i = 0; i < 4 && a_registers != nullptr; ++i) mine.registers[i] = a_registers[i];
  const bool in_registers = a_registers != nullptr;
  warpgroup_together("wgmma", mine, [&](emulator::Warpgroup& group, WarpgroupProduct** threads) {
    struct {
      float* d[128];
    } places;
    auto a = std::make_shared<Operand64x16>(64, std::vector<float>(16));
    for (int i = 0; i < 128; ++i) {
      if (threads[i]->a != threads[0]->a || threads[i]->b != threads[0]->b)
        emulator::fail("a warpgroup's descriptors differ");
      places.d[i] = threads[i]->d;
      const int warp = i / 32, g = i % 32 / 4, t = i % 4 * 2;
      for (int r = 0; r < 4 && in_registers; ++r) {
        for (int half = 0; half < 2; ++half)
          (*a)[warp * 16 + g + r % 2 * 8][t + half + r / 2 * 8] =
              emulator::of_bf16(threads[i]->registers[r] >> 16 * half & 0xffff);
      }
    }
    const auto product = [=] {
      if (!in_registers) {
        for (int row = 0; row < 64; ++row) {
          for (int k = 0; k < 16; ++k) (*a)[row][k] = swizzled(a_descriptor, row, k);
        }
      }
      multiply_warpgroup<kColumns>(places.d, accumulates, in_registers, b, *a);
    };
    if (emulator::settings.late_products) {
      group.open.push_back(product);
    } else {
      product();
    }
  });
}

inline void multiply_64x128x16(float (&d)[64], uint64_t a, uint64_t b, bool accumulates) {
  issue_product<128>(d, a, nullptr, b, accumulates);
}
inline void add_product_x16(float (&d)[64], const uint32_t (&a)[4], uint64_t b) {
  issue_product<128>(d, 0, a, b, true);
}
inline void add_product_x16(float (&d)[32], const uint32_t (&a)[4], uint64_t b) {
  issue_product<64>(d, 0, a, b, true);
}

inline void keep_in_place(float&) {}
template <int kRegisters>
void give_registers() {}
template <int kRegisters>
void take_registers() {}

inline void named_barrier(int id, int threads) {
  using namespace emulator;
  Rendezvous& barrier = current->block->named[id];
  if (arrive(barrier, threads, "named barrier")) release(barrier);
}

inline void cluster_barrier() {
  using namespace emulator;
  int live = 0;
  for (const auto& block : cluster->blocks) live += block->live;
  if (arrive(cluster->all, live, "cluster barrier")) release(cluster->all);
}

inline float load_remote(uint32_t address, uint32_t rank) {
  float x;
  std::memcpy(&x, emulator::shared_at((address & 0xffffff) | rank << 24, 4), 4);
  return x;
}

}  // namespace vssl::cuda
