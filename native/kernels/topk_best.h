// The best rows that one thread has found for one query.
#pragma once

#include <cstdint>
#include <cstring>
#include <limits>

namespace vssl::topk {

/// A score and its row in one word, the better the larger: above the score, with its bits turned so that they
/// rise with it and NaN as 0; below the row, from the end. Whatever order they come in, the k largest are the
/// same.
using Key = uint64_t;

inline Key key_of(float score, int64_t row) {
  score += 0.0f;  // -0 is 0
  uint32_t bits;
  std::memcpy(&bits, &score, sizeof bits);
  bits = bits >> 31 ? ~bits : bits | 0x80000000u;
  const uint32_t rank = score != score ? 0 : bits;
  return static_cast<Key>(rank) << 32 | (0xffffffffu - static_cast<uint32_t>(row));
}

inline int32_t row_of(Key key) { return static_cast<int32_t>(0xffffffffu - static_cast<uint32_t>(key)); }

inline float score_of(Key key) {
  const auto rank = static_cast<uint32_t>(key >> 32);
  if (rank == 0) return std::numeric_limits<float>::quiet_NaN();
  const uint32_t bits = rank >> 31 ? rank ^ 0x80000000u : ~rank;
  float score;
  std::memcpy(&score, &bits, sizeof score);
  return score;
}

/// Keeps what may be among the k best: all that comes until its memory is full, then the k best of that, and
/// further rows only when they beat the last of these. So of n rows in any order but a rising one, k log n or
/// so are ever written down, and one costs a store: the rest is found out by one comparison with the floor.
class Best {
 public:
  /// Keys of memory for k of `count` rows.
  static int64_t capacity(int64_t k, int64_t count) {
    constexpr int64_t kLeastSpare = 64;
    const int64_t wanted = k + (k > kLeastSpare ? k : kLeastSpare);
    return wanted < count ? wanted : count;
  }

  /// memory  capacity() keys
  void reset(Key* memory, int64_t k, int64_t capacity) {
    keys_ = memory;
    k_ = k;
    capacity_ = capacity;
    size_ = 0;
    floor_ = std::numeric_limits<float>::quiet_NaN();
  }

  /// A row whose score is at most this need not be added, if it comes after all that were added. NaN, which
  /// nothing is at most, while every row is wanted.
  float floor() const { return floor_; }

  void add(float score, int64_t row) { add(key_of(score, row)); }
  void add(Key key) {
    if (size_ == capacity_) keep_best();
    keys_[size_++] = key;
  }

  /// Adds what another thread has found.
  void take_from(const Best& other);
  /// The k best, falling; k at most the number of rows.
  const Key* finish();

 private:
  void keep_best();

  Key* keys_;
  int64_t k_, capacity_, size_;
  float floor_;
};

}  // namespace vssl::topk
