// topk_dot() on the device against the double-precision twin.
#pragma once

#include "cuda_testing.h"
#include "kernels_topk_testing.h"

namespace vssl::cuda {

/// One call; the rows lie `offset` values from an aligned address.
inline TopkResult run_topk(const TopkCase& c, const TopkInput& in, std::size_t offset = 1, int replays = 0) {
  const std::size_t size = in.rows.size(), given = static_cast<std::size_t>(c.queries * c.given());
  const std::vector<unsigned char>& bytes = in.rows.bytes();
  const DeviceArray<unsigned char> values(std::vector<unsigned char>(bytes.begin() + size, bytes.end()),
                                          offset * size);
  const DeviceArray<float> queries(in.queries, 1), scales(in.scales, 1), scores(given, 1);
  const DeviceArray<int32_t> indices(given, 1);
  const DotRows rows{values.get(), c.type, c.count, c.dim, c.scaled ? scales.get() : nullptr};
  const std::size_t needed = topk_dot_workspace(c.queries, rows, c.k);
  const DeviceArray<unsigned char> workspace(needed);
  enqueue_work(
      [&](cudaStream_t stream) {
        topk_dot(indices.get(), scores.get(), queries.get(), c.queries, rows, c.k, workspace.get(), needed,
                 stream);
      },
      replays);
  return {indices.read(), scores.read()};
}

inline std::string topk_name(const TopkCase& c) {
  const std::string of_case = c.name();
  return "cuda" + of_case.substr(of_case.find(' '));
}

inline void check_topk(const TopkCase& c) {
  const TopkInput in(c);
  check_result(c, topk_name(c), in, run_topk(c, in));
}

/// The same bits again, wherever the rows lie, for a query alone, with another k.
inline void check_topk_bits(const TopkCase& c) {
  const TopkInput in(c);
  const TopkResult first = run_topk(c, in);
  for (std::size_t offset : {0, 1, 16})
    check(run_topk(c, in, offset).same_as(first), topk_name(c) + ": other bits at " + std::to_string(offset));
  if (!kEmulated) check(run_topk(c, in, 1, 3).same_as(first), topk_name(c) + ": other bits from a graph");
  TopkCase one = c;
  one.queries = 1;
  one.k = c.k / 2 + 1;
  TopkInput alone = in;
  alone.queries.resize(c.dim);
  const TopkResult found = run_topk(one, alone);
  check(std::memcmp(found.indices.data(), first.indices.data(), found.indices.size() * 4) == 0 &&
            std::memcmp(found.scores.data(), first.scores.data(), found.scores.size() * 4) == 0,
        topk_name(c) + ": other bits for a query alone");
}

inline void check_topk_refusals() {
  const DeviceArray<float> x(64), scores(8);
  const DeviceArray<int32_t> indices(8);
  const DeviceArray<unsigned char> workspace(4096);
  const DotRows good{x.get(), RowType::kFp32, 4, 3, nullptr};
  const auto call = [&](int64_t queries, DotRows rows, int64_t k, std::size_t bytes) {
    return [&, queries, rows, k, bytes] {
      topk_dot(indices.get(), scores.get(), x.get(), queries, rows, k, workspace.get(), bytes, nullptr);
    };
  };
  DotRows rows = good;
  rows.dim = 8193;
  check_refused("topk of too many dims", call(1, rows, 1, 4096));
  rows = good;
  rows.count = -1;
  check_refused("topk of -1 rows", call(1, rows, 1, 4096));
  rows = good;
  rows.values = nullptr;
  check_refused("topk of no memory", call(1, rows, 1, 4096));
  for (int64_t k : {0, 1025}) check_refused("topk with k " + std::to_string(k), call(1, good, k, 4096));
  check_refused("topk of -1 queries", call(-1, good, 1, 4096));
  check_refused("topk with a small workspace", call(1, good, 1, 1));
}

inline void add_topk_checks(Checks& checks) {
  constexpr RowType kTypes[] = {RowType::kFp32, RowType::kFp16, RowType::kBf16, RowType::kInt8};
  constexpr Spread kSpreads[] = {Spread::kNormal, Spread::kWhole, Spread::kEqual, Spread::kRising,
                                 Spread::kSpecial};
  int turn = 0;
  const auto add = [&](int64_t queries, int64_t count, int64_t dim, int64_t k) {
    TopkCase c{queries, count, dim, k, kTypes[turn % 4], kSpreads[turn / 4 % 5], turn % 3 == 0};
    if (c.type == RowType::kInt8 && c.spread == Spread::kSpecial) c.spread = Spread::kWhole;
    checks.push_back([c] { check_topk(c); });
    ++turn;
  };
  for (int64_t queries : {1, 3, 9}) {
    for (int64_t count : {0, 1, 33, 1024, 1030}) {
      for (int64_t dim : {1, 3, 16, 65, 513}) {
        if (kEmulated && queries * count * dim > 400000) continue;
        add(queries, count, dim, 1 + turn % 17);
      }
    }
  }
  add(1, kEmulated ? 2500 : 100003, 16, 1024);
  add(2, kEmulated ? 3100 : 50021, 5, 700);
  add(0, 10, 3, 1);
  if (!kEmulated) add(64, 100003, 512, 10);
  for (RowType type : kTypes) {
    for (int64_t dim : {48, 130}) {
      const TopkCase c{kEmulated ? 2 : 20, 1100, dim, 40, type, Spread::kNormal, true};
      checks.push_back([c] { check_topk_bits(c); });
    }
    checks.push_back([type] { check_topk({2, 70, 40, 5, type, Spread::kTiny}); });
  }
  checks.push_back(check_topk_refusals);
}

}  // namespace vssl::cuda
