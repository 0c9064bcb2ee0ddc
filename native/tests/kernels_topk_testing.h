// What the suites of topk_dot() share, on the CPU and on the device: rows of every type, cases, checks.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "../kernels/isa.h"
#include "../kernels/kernels.h"
#include "../kernels/reference.h"
#include "half.h"
#include "testing.h"

namespace vssl {

/// Kinds of values.
enum class Spread {
  kNormal,
  kWhole,    ///< small whole numbers: exact sums, and many that are equal
  kEqual,    ///< all rows are the same
  kRising,   ///< each row is better than the one before
  kTiny,     ///< denormals where the type has them
  kSpecial,  ///< whole numbers, and rows with infinities and NaN among them
};

inline const char* name_of(Spread spread) {
  static const char* const kNames[] = {"normal", "whole", "equal", "rising", "tiny", "special"};
  return kNames[static_cast<int>(spread)];
}

inline const char* name_of(RowType type) {
  static const char* const kNames[] = {"fp32", "fp16", "bf16", "int8"};
  return kNames[static_cast<int>(type)];
}

struct TopkCase {
  int64_t queries, count, dim, k;
  RowType type = RowType::kFp32;
  Spread spread = Spread::kNormal;
  bool scaled = false;

  std::string name() const {
    return std::string(isa_name(selected_isa())) + " topk of " + std::to_string(queries) + " queries, " +
           std::to_string(count) + " rows of " + std::to_string(dim) + " " + name_of(type) + ", k " +
           std::to_string(k) + ", " + name_of(spread) + (scaled ? ", scaled" : "");
  }
  /// Whether fp32 gives the exact scores.
  bool is_exact() const { return spread != Spread::kNormal && spread != Spread::kTiny; }
  int64_t given() const { return std::min(k, count); }
};

/// Rows as they lie in memory, a value away from an aligned address, with NaN (or what is furthest from 0)
/// behind them: whoever takes a value that is not a row's shows it.
class TypedRows {
 public:
  TypedRows(RowType type, const std::vector<float>& values)
      : type_(type), bytes_((values.size() + 1 + kBehind) * size()), exact_(values.size()) {
    for (std::size_t i = 0; i < values.size(); ++i) exact_[i] = put(1 + i, values[i]);
    for (std::size_t i = 0; i < kBehind; ++i)
      put(1 + values.size() + i, std::numeric_limits<float>::quiet_NaN());
  }

  std::size_t size() const { return type_ == RowType::kFp32 ? 4 : type_ == RowType::kInt8 ? 1 : 2; }
  const void* data() const { return bytes_.data() + size(); }
  const std::vector<unsigned char>& bytes() const { return bytes_; }
  /// What the rows say.
  const std::vector<double>& exact() const { return exact_; }

 private:
  static constexpr std::size_t kBehind = 16;

  double put(std::size_t at, float value) {
    if (type_ == RowType::kFp32) return put_as(at, value), value;
    if (type_ == RowType::kFp16) {
      put_as(at, half_of(value));
      return value_of_half(half_of(value));
    }
    if (type_ == RowType::kInt8) {
      const auto step =
          static_cast<int8_t>(value == value ? std::clamp(std::round(value), -128.0f, 127.0f) : 127);
      put_as(at, step);
      return step;
    }
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    bits = value == value ? (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u : 0x7fc00000u;
    put_as(at, static_cast<uint16_t>(bits >> 16));
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }

  template <typename T>
  void put_as(std::size_t at, T value) {
    std::memcpy(bytes_.data() + at * sizeof(T), &value, sizeof value);
  }

  RowType type_;
  std::vector<unsigned char> bytes_;
  std::vector<double> exact_;
};

struct TopkInput {
  std::vector<float> queries, scales;
  TypedRows rows;

  explicit TopkInput(const TopkCase& c, unsigned seed = 1)
      : queries(draw(c, c.queries, seed, true)),
        scales(c.scaled ? c.count : 0),
        rows(c.type, draw(c, c.count, seed + 100, false)) {
    for (std::size_t i = 0; i < scales.size(); ++i) scales[i] = std::ldexp(1.0f, static_cast<int>(i % 5) - 2);
  }

  /// rows.exact() times the scales.
  std::vector<double> exact_rows(int64_t dim) const {
    std::vector<double> exact = rows.exact();
    for (std::size_t i = 0; i < exact.size() && !scales.empty(); ++i) exact[i] *= scales[i / dim];
    return exact;
  }

 private:
  static std::vector<float> draw(const TopkCase& c, int64_t count, unsigned seed, bool are_queries) {
    std::mt19937 random(seed * 7919 + static_cast<unsigned>(c.count * 513 + c.dim));
    std::normal_distribution<float> normal;
    std::vector<float> values(count * c.dim);
    const auto whole = [&] { return static_cast<float>(static_cast<int>(random() % 7) - 3); };
    for (int64_t i = 0; i < count * c.dim; ++i) {
      const int64_t row = i / c.dim;
      if (c.spread == Spread::kNormal) values[i] = (c.type == RowType::kInt8 ? 40 : 1) * normal(random);
      if (c.spread == Spread::kTiny) values[i] = are_queries ? normal(random) : tiny(c.type) * normal(random);
      if (c.spread == Spread::kWhole || c.spread == Spread::kSpecial) values[i] = whole();
      if (c.spread == Spread::kEqual) values[i] = are_queries ? whole() : static_cast<float>(i % c.dim % 5);
      if (c.spread == Spread::kRising)
        values[i] = are_queries ? 1.0f : static_cast<float>(i % c.dim == 0 ? row % 128 : 0);
    }
    if (c.spread == Spread::kSpecial && !are_queries) make_special(values, c.dim);
    return values;
  }

  static float tiny(RowType type) {
    return type == RowType::kFp16 ? 3e-7f : type == RowType::kInt8 ? 2.0f : 1e-40f;
  }

  static void make_special(std::vector<float>& values, int64_t dim) {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    for (int64_t row = 0; row * dim < static_cast<int64_t>(values.size()); ++row) {
      float& last = values[row * dim + dim - 1];
      if (row % 11 == 3) last = kInfinity;
      if (row % 11 == 5) last = -kInfinity;
      if (row % 11 == 8) last = std::numeric_limits<float>::quiet_NaN();
    }
  }
};

struct TopkResult {
  std::vector<int32_t> indices;
  std::vector<float> scores;

  bool same_as(const TopkResult& other) const {
    return indices == other.indices && scores.size() == other.scores.size() &&
           std::memcmp(scores.data(), other.scores.data(), scores.size() * sizeof(float)) == 0;
  }
};

inline TopkResult expect(const TopkCase& c, const TopkInput& in) {
  const std::vector<double> queries(in.queries.begin(), in.queries.end());
  TopkResult expected;
  expected.indices.resize(c.queries * c.given());
  std::vector<double> scores(expected.indices.size());
  topk_dot_reference(expected.indices.data(), scores.data(), queries.data(), c.queries,
                     in.exact_rows(c.dim).data(), c.count, c.dim, c.k);
  expected.scores.assign(scores.begin(), scores.end());
  return expected;
}

/// The very rows and scores.
inline void check_exactly(const std::string& what, const TopkResult& found, const TopkResult& expected) {
  check(found.indices == expected.indices, what + ": other rows");
  bool same = found.scores.size() == expected.scores.size();
  for (std::size_t i = 0; i < expected.scores.size() && same; ++i)
    same = found.scores[i] == expected.scores[i] ||
           (std::isnan(found.scores[i]) && std::isnan(expected.scores[i]));
  check(same, what + ": other scores");
}

/// Every score near its row's exact one, in order, and no row left out that is better by more than rounding.
inline void check_nearly(const TopkCase& c, const std::string& what, const TopkInput& in,
                         const TopkResult& found) {
  const std::vector<double> rows = in.exact_rows(c.dim);
  bool near = found.indices.size() == static_cast<std::size_t>(c.queries * c.given()), ordered = near,
       best = near;
  for (int64_t i = 0; i < c.queries && near; ++i) {
    const int32_t* const indices = found.indices.data() + i * c.given();
    const float* const scores = found.scores.data() + i * c.given();
    std::vector<bool> is_given(c.count);
    for (int64_t j = 0; j < c.given(); ++j) {
      near = near && indices[j] >= 0 && indices[j] < c.count && !is_given[indices[j]];
      if (near) is_given[indices[j]] = true;
      ordered = ordered && (j == 0 || scores[j] < scores[j - 1] ||
                            (scores[j] == scores[j - 1] && indices[j] > indices[j - 1]));
    }
    std::vector<int64_t> place(c.count, -1);
    for (int64_t j = 0; j < c.given() && near; ++j) place[indices[j]] = j;
    for (int64_t row = 0; row < c.count && near; ++row) {
      double exact = 0, size = 0;
      for (int64_t d = 0; d < c.dim; ++d) {
        const double product = static_cast<double>(in.queries[i * c.dim + d]) * rows[row * c.dim + d];
        exact += product;
        size += std::fabs(product);
      }
      const double tolerance = 1e-6 * size + 1e-43 * static_cast<double>(c.dim);
      if (place[row] >= 0) near = near && std::fabs(scores[place[row]] - exact) <= tolerance;
      if (place[row] < 0) best = best && exact <= scores[c.given() - 1] + 2 * tolerance;
    }
  }
  check(near, what + ": scores are not those of their rows");
  check(ordered, what + ": not in order");
  check(best, what + ": a better row was left out");
}

inline void check_result(const TopkCase& c, const std::string& what, const TopkInput& in,
                         const TopkResult& found) {
  if (c.is_exact()) {
    check_exactly(what, found, expect(c, in));
  } else {
    check_nearly(c, what, in, found);
  }
}

}  // namespace vssl
