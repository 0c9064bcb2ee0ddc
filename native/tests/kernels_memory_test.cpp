// Memory that is kept: blocks do not overlap, what is given back is handed out again, a limit is told.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "../common/error.h"
#include "../common/kept_memory.h"
#include "../common/memory.h"
#include "testing.h"

namespace {

using namespace vssl;

struct Held {
  unsigned char* data;
  std::size_t size;
  unsigned char mark;
};

bool holds_its_mark(const Held& held) {
  return std::all_of(held.data, held.data + held.size, [&](unsigned char x) { return x == held.mark; });
}

// Sizes from one byte to some megabytes, as many small as large ones.
std::size_t draw_size(std::mt19937_64& random) { return std::size_t{1} << random() % 22 | random() % 4096; }

// Takes and gives back at random; every block keeps what was written to it.
int count_faults(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<Held> held;
  int faults = 0;
  const auto drop = [&](std::size_t i) {
    faults += !holds_its_mark(held[i]);
    give_memory(held[i].data);
    held[i] = held.back();
    held.pop_back();
  };
  for (int turn = 0; turn < 3000; ++turn) {
    if (!held.empty() && (held.size() > 40 || random() % 2 == 0)) {
      drop(random() % held.size());
      continue;
    }
    const std::size_t size = draw_size(random);
    auto* data = static_cast<unsigned char*>(take_memory(size));
    faults += reinterpret_cast<std::uintptr_t>(data) % 64 != 0;
    const auto mark = static_cast<unsigned char>(random());
    std::memset(data, mark, size);
    held.push_back({data, size, mark});
    if (turn % 500 == 0) release_kept_memory();
  }
  while (!held.empty()) drop(held.size() - 1);
  return faults;
}

void test_blocks() {
  check(count_faults(1) == 0, "blocks of one thread keep their bytes");
  int faults[4] = {};
  std::vector<std::thread> team;
  for (int t = 0; t < 4; ++t) team.emplace_back([&faults, t] { faults[t] = count_faults(10 + t); });
  for (std::thread& thread : team) thread.join();
  for (const int found : faults) check(found == 0, "blocks of four threads keep their bytes");
  check(kept_memory().used == 0, "all were given back");
  release_kept_memory();
  check(kept_memory().kept == 0, "whole segments go back to the system");
}

void test_reuse() {
  constexpr std::size_t kLarge = 24 << 20;
  void* const first = take_memory(kLarge);
  const bool keeps = kept_memory().used > 0;  // not under a sanitizer
  give_memory(first);
  if (!keeps) return;
  void* const second = take_memory(kLarge);
  check(second == first, "what was given back is handed out again");
  give_memory(second);
  // Neighbours join: three thirds become one whole.
  void* thirds[3];
  for (void*& third : thirds) third = take_memory(kLarge / 3 - 4096);
  const std::size_t kept = kept_memory().kept, used = kept_memory().used;
  for (const int i : {0, 2, 1}) give_memory(thirds[i]);
  check(kept_memory().kept == kept + used, "nothing is lost when neighbours join");
  void* const whole = take_memory(kLarge);
  check(kept_memory().kept + kept_memory().used == kept + used, "and nothing new is asked for");
  give_memory(whole);
  give_memory(nullptr);
  release_kept_memory();
}

void test_limit() {
  for (const double share : {1.01, 40.0, 1e6}) {
    const double bytes = std::min(memory_limit() * share, 1.8e19);
    check_throws("ERR_VSSL_OUT_OF_MEMORY", "bytes",
                 [&] { give_memory(take_memory(static_cast<std::size_t>(bytes))); });
  }
}

}  // namespace

int main() {
  test_blocks();
  test_reuse();
  test_limit();
  return finish();
}
