// Tests of topk_dot() against the double-precision twin, over hostile sizes and values, types and ISA paths.
// Prints a line per failure; the last line is "N passed, N failed".
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "../kernels/topk_best.h"
#include "kernels_topk_testing.h"

namespace vssl {
namespace {

constexpr RowType kTypes[] = {RowType::kFp32, RowType::kFp16, RowType::kBf16, RowType::kInt8};

DotRows rows_of(const TopkCase& c, const TopkInput& in) {
  return {in.rows.data(), c.type, c.count, c.dim, c.scaled ? in.scales.data() : nullptr};
}

// One call on poisoned output, everything at odd addresses.
TopkResult call(const TopkCase& c, const TopkInput& in, int threads) {
  const std::size_t size = static_cast<std::size_t>(c.queries * c.given());
  std::vector<float> queries(in.queries.size() + 1), scores(size + 2, -7.0f);
  std::vector<int32_t> indices(size + 2, -7);
  std::copy(in.queries.begin(), in.queries.end(), queries.begin() + 1);
  topk_dot(indices.data() + 1, scores.data() + 1, queries.data() + 1, c.queries, rows_of(c, in), c.k,
           threads);
  check(indices.front() == -7 && indices.back() == -7 && scores.front() == -7 && scores.back() == -7,
        c.name() + ": writes beside its output");
  return {{indices.begin() + 1, indices.end() - 1}, {scores.begin() + 1, scores.end() - 1}};
}

void compare_on_all_isas(const TopkCase& c) {
  const TopkInput in(c);
  for (Isa isa : detected_isas()) {
    set_isa_for_test(isa);
    check_result(c, c.name(), in, call(c, in, 2));
  }
}

// Every size; types, kinds of values and scales take turns.
void test_grid() {
  constexpr Spread kSpreads[] = {Spread::kNormal, Spread::kWhole, Spread::kEqual, Spread::kRising,
                                 Spread::kSpecial};
  int turn = 0;
  for (int64_t queries : {0, 1, 2, 3, 4, 5, 63, 64, 65, 130}) {
    for (int64_t count : {0, 1, 2, 3, 15, 16, 17, 33, 64, 257}) {
      for (int64_t dim : {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 63, 64, 65, 513}) {
        if (queries * count * dim > 1 << 20) continue;
        for (int64_t k : {int64_t{1}, int64_t{10}, count, count + 5}) {
          if (k == 0) continue;
          TopkCase c{queries, count, dim, k, kTypes[turn % 4], kSpreads[turn / 4 % 5], turn % 3 == 0};
          if (c.type == RowType::kInt8 && c.spread == Spread::kSpecial) c.spread = Spread::kWhole;
          compare_on_all_isas(c);
          ++turn;
        }
      }
    }
  }
}

// Enough rows that most are left out: after one comparison, or because the memory for them was full.
void test_many_rows() {
  for (RowType type : kTypes) {
    for (int64_t k : {1, 2, 10, 100, 3000}) {
      for (Spread spread : {Spread::kNormal, Spread::kWhole, Spread::kRising, Spread::kEqual}) {
        compare_on_all_isas({1, 6011, 17, k, type, spread, spread == Spread::kWhole});
        compare_on_all_isas({6, 3007, 9, k, type, spread});
      }
    }
  }
  compare_on_all_isas({1, 40009, 5, 1});
  compare_on_all_isas({1, 3001, 2050, 7});
  compare_on_all_isas({9, 301, 5000, 7});
}

void test_tiny() {
  for (RowType type : kTypes) {
    for (int64_t dim : {1, 16, 65}) compare_on_all_isas({3, 70, dim, 5, type, Spread::kTiny});
  }
}

// Every fp16 and bf16, as the only value of a row: what the reference's decoder says, for finite ones.
void test_every_half() {
  std::vector<uint16_t> bits(1 << 16);
  for (std::size_t i = 0; i < bits.size(); ++i) bits[i] = static_cast<uint16_t>(i);
  std::vector<int32_t> indices(bits.size());
  std::vector<float> scores(bits.size());
  const float one = 1;
  for (Isa isa : detected_isas()) {
    set_isa_for_test(isa);
    for (RowType type : {RowType::kFp16, RowType::kBf16}) {
      const DotRows rows{bits.data(), type, static_cast<int64_t>(bits.size()), 1, nullptr};
      topk_dot(indices.data(), scores.data(), &one, 1, rows, rows.count, 1);
      int wrong = 0;
      for (std::size_t i = 0; i < bits.size(); ++i) {
        const auto half = static_cast<uint16_t>(indices[i]);
        float expected = value_of_half(half);
        const uint32_t wide = static_cast<uint32_t>(half) << 16;
        if (type == RowType::kBf16) std::memcpy(&expected, &wide, sizeof expected);
        wrong += !(scores[i] == expected || (std::isnan(scores[i]) && std::isnan(expected)));
      }
      check(wrong == 0, std::string(isa_name(isa)) + " " + name_of(type) + ": " + std::to_string(wrong) +
                            " of all values are wrong");
    }
  }
}

void test_order() {
  using topk::key_of, topk::row_of, topk::score_of;
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const float rising[] = {std::nanf(""), -kInfinity, -3e38f, -1, -1e-45f, 0, 1e-45f, 1, 3e38f, kInfinity};
  for (std::size_t i = 0; i + 1 < std::size(rising); ++i) {
    check(key_of(rising[i], 0) < key_of(rising[i + 1], 9), "keys rise with scores, " + std::to_string(i));
    check(key_of(rising[i], 8) < key_of(rising[i], 3), "the lower row is the better one");
  }
  check(key_of(-0.0f, 1) == key_of(0.0f, 1), "0 and -0 are equal");
  for (float score : rising) {
    for (int64_t row : {int64_t{0}, int64_t{1} << 20, (int64_t{1} << 31) - 1}) {
      const topk::Key key = key_of(score, row);
      check(row_of(key) == row &&
                (score_of(key) == score || (score != score && score_of(key) != score_of(key))),
            "what a key says");
    }
  }
}

// A score's bits follow from its query and row: not from the threads, k, the other queries or the other rows.
void test_equal_bits() {
  for (Isa isa : detected_isas()) {
    set_isa_for_test(isa);
    for (RowType type : kTypes) {
      for (int64_t dim : {3, 65, 130}) {
        const TopkCase c{70, 2100, dim, 2100, type, Spread::kNormal, true};
        const TopkInput in(c);
        const TopkResult all = call(c, in, 1);
        for (int threads = 2; threads <= 8; ++threads)
          check(call(c, in, threads).same_as(all), c.name() + ": other bits with " + std::to_string(threads));
        TopkCase fewer = c;
        fewer.k = 20;
        const TopkResult some = call(fewer, in, 3);
        for (int64_t i = 0; i < c.queries; ++i) {
          const auto same = [&](const int32_t* indices, const float* scores, int64_t count) {
            return std::memcmp(indices, &all.indices[i * c.k], count * 4) == 0 &&
                   std::memcmp(scores, &all.scores[i * c.k], count * 4) == 0;
          };
          check(same(&some.indices[i * 20], &some.scores[i * 20], 20), c.name() + ": other bits with k 20");
          std::vector<int32_t> indices(c.k);
          std::vector<float> scores(c.k);
          topk_dot(indices.data(), scores.data(), &in.queries[i * dim], 1, rows_of(c, in), c.k, 1 + i % 3);
          check(same(indices.data(), scores.data(), c.k), c.name() + ": other bits for a query alone");
        }
      }
    }
  }
}

// The results over parts, merged, are those over the whole.
void test_parts() {
  const TopkCase c{5, 1000, 40, 30};
  const TopkInput in(c);
  const TopkResult whole = call(c, in, 2);
  const auto* const values = static_cast<const float*>(in.rows.data());
  std::vector<std::vector<topk::Key>> merged(c.queries);
  for (int64_t begin = 0; begin < c.count; begin += 333) {
    const DotRows part{values + begin * c.dim, c.type, std::min<int64_t>(333, c.count - begin), c.dim,
                       nullptr};
    const int64_t given = std::min(c.k, part.count);
    std::vector<int32_t> indices(c.queries * given);
    std::vector<float> scores(indices.size());
    topk_dot(indices.data(), scores.data(), in.queries.data(), c.queries, part, c.k, 2);
    for (std::size_t i = 0; i < indices.size(); ++i)
      merged[i / given].push_back(topk::key_of(scores[i], begin + indices[i]));
  }
  bool same = true;
  for (int64_t i = 0; i < c.queries; ++i) {
    std::sort(merged[i].begin(), merged[i].end(), std::greater<topk::Key>());
    for (int64_t j = 0; j < c.k; ++j)
      same = same && topk::row_of(merged[i][j]) == whole.indices[i * c.k + j] &&
             topk::score_of(merged[i][j]) == whole.scores[i * c.k + j];
  }
  check(same, "parts merged are the whole");
}

void test_concurrent_callers() {
  const TopkCase c{3, 5000, 33, 12, RowType::kInt8};
  const TopkInput in(c);
  const TopkResult alone = call(c, in, 1);
  std::vector<TopkResult> found(4);
  std::vector<std::thread> callers;
  for (std::size_t i = 0; i < found.size(); ++i) {
    callers.emplace_back([&, i] {
      found[i].indices.resize(c.queries * c.k);
      found[i].scores.resize(c.queries * c.k);
      for (int repeat = 0; repeat < 10; ++repeat)
        topk_dot(found[i].indices.data(), found[i].scores.data(), in.queries.data(), c.queries,
                 rows_of(c, in), c.k, 1 + static_cast<int>(i) % 3);
    });
  }
  for (std::thread& caller : callers) caller.join();
  for (const TopkResult& one : found) check(one.same_as(alone), "concurrent callers get other bits");
}

void test_arguments() {
  const std::vector<float> x(12, 1.0f);
  int32_t indices[12];
  float scores[12];
  const auto with = [&](int64_t queries, DotRows rows, int64_t k, int threads) {
    return [&, queries, rows, k, threads] { topk_dot(indices, scores, x.data(), queries, rows, k, threads); };
  };
  const DotRows good{x.data(), RowType::kFp32, 4, 3, nullptr};
  DotRows rows = good;
  rows.dim = 0;
  check_throws(kInvalidArgument, "dim", with(1, rows, 1, 1));
  rows = good;
  for (int64_t count : {int64_t{-1}, int64_t{1} << 31}) {
    rows.count = count;
    check_throws(kInvalidArgument, "the number of rows", with(1, rows, 1, 1));
  }
  rows = good;
  rows.values = nullptr;
  check_throws(kInvalidArgument, "null", with(1, rows, 1, 1));
  rows = good;
  rows.type = static_cast<RowType>(7);
  check_throws(kInvalidArgument, "type", with(1, rows, 1, 1));
  for (int64_t k : {int64_t{0}, int64_t{-3}}) check_throws(kInvalidArgument, "k", with(1, good, k, 1));
  check_throws(kInvalidArgument, "the number of queries", with(-1, good, 1, 1));
  check_throws(kInvalidArgument, "threads", with(1, good, 1, -1));
  check_throws(kInvalidArgument, "null", [&] { topk_dot(nullptr, scores, x.data(), 1, good, 1, 1); });
  topk_dot(nullptr, nullptr, nullptr, 0, good, 1, 1);
  topk_dot(nullptr, nullptr, x.data(), 1, {nullptr, RowType::kInt8, 0, 3, nullptr}, 1, 1);
}

}  // namespace
}  // namespace vssl

int main() {
  using namespace vssl;
  test_arguments();
  test_order();
  test_every_half();
  test_grid();
  test_many_rows();
  test_tiny();
  test_equal_bits();
  test_parts();
  test_concurrent_callers();
  return finish();
}
