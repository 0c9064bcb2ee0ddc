// Tests of the ceilings that benchmarks are held against: the streams do what they say at any alignment, the
// rates are rates. Prints a line per failure; the last line is "N passed, N failed".
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "../common/error.h"
#include "../kernels/isa.h"
#include "../kernels/limits.h"
#include "../kernels/limits_loops.h"
#include "kernels_testing.h"

namespace vssl {
namespace {

constexpr float kUntouched = -7;

struct Arrays {
  std::vector<float> target, a, b;
  std::vector<uint8_t> bytes;

  explicit Arrays(int64_t size) : target(size, kUntouched), a(size), b(size), bytes(size) {
    for (int64_t i = 0; i < size; ++i) {
      a[i] = static_cast<float>(i % 251);
      b[i] = static_cast<float>(i % 127) - 60;
      bytes[i] = static_cast<uint8_t>(i * 7 % 256);
    }
  }
};

// Whether target[offset + i] is expected(i) for i < count, and nothing else was written.
template <typename Expected>
bool holds(const Arrays& arrays, int64_t offset, int64_t count, Expected&& expected) {
  for (int64_t i = 0; i < static_cast<int64_t>(arrays.target.size()); ++i) {
    const bool inside = i >= offset && i < offset + count;
    if (arrays.target[i] != (inside ? expected(i - offset) : kUntouched)) return false;
  }
  return true;
}

void test_streams(int64_t count, int64_t offset, int threads) {
  const std::string name = std::string(isa_name(selected_isa())) + " count " + std::to_string(count) +
                           " offset " + std::to_string(offset) + " threads " + std::to_string(threads);
  Arrays copied(count + 40), widened(count + 40), summed(count + 40), in_place(count + 40);
  copy_seconds(copied.target.data() + offset, copied.a.data() + 1, count, threads);
  check(holds(copied, offset, count, [&](int64_t i) { return copied.a[i + 1]; }), name + ": copy");
  widen_seconds(widened.target.data() + offset, widened.bytes.data() + 3, count, threads);
  check(holds(widened, offset, count, [&](int64_t i) { return static_cast<float>(widened.bytes[i + 3]); }),
        name + ": widen");
  // 0.5 of small integers: exact however it is rounded.
  triad_seconds(summed.target.data() + offset, summed.a.data() + 1, summed.b.data() + 2, 0.5f, count,
                threads);
  const auto mean = [&](int64_t i) { return 0.5f * summed.a[i + 1] + 0.5f * summed.b[i + 2]; };
  check(holds(summed, offset, count, mean), name + ": triad");
  std::copy_n(in_place.a.begin() + 1, count, in_place.target.begin() + offset);
  float* target = in_place.target.data() + offset;
  triad_seconds(target, target, in_place.b.data() + 2, 0.5f, count, threads);
  check(holds(in_place, offset, count, mean), name + ": triad in place");
}

void test_all_streams() {
  for (Isa isa : detected_isas()) {
    set_isa_for_test(isa);
    for (int64_t count : {0, 1, 2, 3, 15, 16, 17, 63, 64, 65, 127, 1000}) {
      for (int64_t offset : {0, 1, 7, 15, 16, 31}) test_streams(count, offset, 2);
    }
    for (int threads : {0, 1, 3, 8}) test_streams(3 * 64 * 1024 + 5, 3, threads);
  }
}

void test_rates() {
  for (Isa isa : detected_isas()) {
    set_isa_for_test(isa);
    const std::string name = isa_name(isa);
    for (int threads : {0, 1, 2}) {
      const double fp32 = fma_rate(0.002, threads);
      check(fp32 > 1e6 && fp32 < 1e15, name + ": fp32 rate " + std::to_string(fp32));
      const double bf16 = bf16_rate(0.002, threads);
      const bool exists = isa == Isa::kAvx512 && has_avx512_bf16();
      check(exists ? bf16 > 1e6 && bf16 < 1e15 : bf16 == 0, name + ": bf16 rate " + std::to_string(bf16));
    }
  }
}

void test_reads() {
  const std::vector<uint64_t> words = {1, uint64_t{1} << 40, 3, 1000, 7, 0, 9, 5, 6};
  for (Isa isa : detected_isas()) {
    set_isa_for_test(isa);
    uint64_t sum = 0;
    for (std::size_t n = 0; n <= words.size(); ++n) {
      check(limits::table_of(isa).read(words.data(), static_cast<int64_t>(n)) == sum,
            std::string(isa_name(isa)) + ": other words are read");
      if (n < words.size()) sum += words[n];
    }
    const std::vector<uint8_t> bytes(3 * 64 * 1024 * 4 + 5);
    for (int threads : {0, 1, 3}) {
      for (int64_t size : {int64_t{0}, int64_t{1}, int64_t{9}, static_cast<int64_t>(bytes.size()) - 1})
        check(read_seconds(bytes.data() + 1, size, threads) >= 0, "seconds of a read");
    }
  }
}

// One round on each chain, from 0, 1, 2...: the sum shows that none was left out or merged with another.
void check_chains(const std::string& name, float (*multiply_add)(int64_t), double chains, double slope,
                  double offset) {
  const double expected = slope * chains * (chains - 1) / 2 + offset * chains;
  const double sum = multiply_add(1);
  check(sum == expected,
        name + ": chains sum to " + std::to_string(sum) + ", not " + std::to_string(expected));
}

void test_chains() {
  for (Isa isa : detected_isas()) {
    const limits::LimitLoops& loops = limits::table_of(isa);
    const double lanes = isa == Isa::kAvx512 ? 16 : isa == Isa::kAvx2 ? 8 : 4;
    check_chains(isa_name(isa), loops.multiply_add, loops.flops_per_round / (2 * lanes), 0.5, 1);
  }
  set_isa_for_test(detected_isas().back());
  if (const limits::Bf16Loop* loop = limits::bf16_loop()) {
    check_chains("bf16", loop->multiply_add, loop->flops_per_round / (4 * 16), 1, 0.5);
  }
}

template <typename Work>
void check_throws(const std::string& what, Work&& work) {
  try {
    work();
    check(false, what + ": nothing thrown");
  } catch (const Error& error) {
    check(error.code == kInvalidArgument, what + ": code " + error.code);
  }
}

void test_arguments() {
  for (double seconds : {0.0, -1.0, 11.0, std::nan("")}) {
    check_throws("seconds " + std::to_string(seconds), [&] { fma_rate(seconds, 1); });
  }
  check_throws("threads of a rate", [] { fma_rate(0.001, -1); });
  std::vector<float> x(8, kUntouched);
  check_throws("threads of a copy", [&] { copy_seconds(x.data(), x.data() + 4, 4, -1); });
  check(x[0] == kUntouched, "a wrong argument has written");
}

int run_all() {
  test_all_streams();
  test_reads();
  test_rates();
  test_chains();
  test_arguments();
  return vssl::finish();
}

}  // namespace
}  // namespace vssl

int main() { return vssl::run_all(); }
