// A first-in first-out ring of keys, and InfoNCE of queries against it (MoCo, He et al. 2020, algorithm 1;
// temporal decay after VideoMoCo, Pan et al. 2021).
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "kernels.h"

namespace vssl {

namespace queue {
struct Panel;
}

enum class DecayOn {
  kLogit,   ///< t^age multiplies the similarity, inside the exponential (VideoMoCo's released code)
  kWeight,  ///< t^age multiplies the exponential (VideoMoCo's text)
};

enum class AgeUnit {
  kEnqueue,  ///< an enqueue makes every key one older, whatever its number of rows; its own keys have age 1
  kKey,      ///< each key makes those before it one older: the last key enqueued has age 1, the one before 2
};

enum class QueueInit {
  kRandom,  ///< full, of random unit keys of age 0: the same bits for the same seed on every machine
  kEmpty,   ///< no keys; the loss is over those that have come
};

constexpr int64_t kMostQueueKeys = int64_t{1} << 24;  // ages do not pass it, so they are exact in fp32

struct MomentumQueueOptions {
  int64_t capacity = 65536;  ///< K, 1 to kMostQueueKeys
  int64_t dim = 128;         ///< >= 1
  double decay = 1;          ///< t, 0 < t <= 1
  DecayOn decay_on = DecayOn::kLogit;
  AgeUnit age_unit = AgeUnit::kEnqueue;
  QueueInit init = QueueInit::kRandom;
  uint64_t seed = 0;
  bool ids = false;  ///< keys have numbers, of the video that each is of: see InfoNceOptions::ids
};

struct InfoNceOptions {
  double temperature = 0.07;  ///< tau > 0
  bool normalize = true;      ///< L2-normalise queries and keys first, x / max(|x|, 1e-12); the gradient goes
                              ///< through it
  Precision precision = Precision::kFp32;
  int threads = 0;  ///< upper bound; 0: one per physical core
  /// One for each query, of a queue whose keys have numbers: queued keys of the query's own number are not
  /// among its negatives. Below 0: of none. null: all keys are negatives of all queries, and it costs
  /// nothing.
  const int64_t* ids = nullptr;
};

/// The queue as it was at one moment: what is enqueued later does not change it. Shares the keys' memory with
/// the queue, which copies only what it overwrites while a snapshot holds it.
struct QueueSnapshot {
  MomentumQueueOptions options;
  std::vector<std::shared_ptr<queue::Panel>> panels;
  int64_t length = 0;
  int64_t next = 0;    ///< slot of the next key
  uint32_t clock = 0;  ///< age of a slot: clock minus its stamp
  int64_t broken = 0;  ///< keys that are not finite
};

/// InfoNCE of `rows` queries, key i being query i's positive and the queued keys the negatives. With z the
/// (normalised) queries, p the (normalised) keys, and k_j, age_j the queued keys:
///
///   x_ij = t^age_j (z_i . k_j) / tau,  w_j = 1        decay on the logit
///   x_ij = (z_i . k_j) / tau,          w_j = t^age_j  decay on the weight
///   L    = 1/rows sum_i [ log( exp(z_i . p_i / tau) + sum_j w_j exp(x_ij) ) - z_i . p_i / tau ]
///
/// The positive does not decay. Keys of the query's own number (options.ids) are left out of its sum. Loss
/// and gradient take one pass over the queue: no product is computed twice.
///
/// gradient  rows x dim, dL/d queries, overwritten; null computes the loss only; may be `queries` itself
/// queries   rows x dim;  keys  rows x dim, constants of the gradient;  rows >= 1
/// Memory: 2 x rows x dim floats, and partial gradients of 9000 rows at most; never rows x capacity.
/// NaN or infinite input (or squares beyond fp32 when normalize is off), here or in a queued key, gives a NaN
/// loss and a NaN gradient. An empty queue gives 0 and zeros, and so does a row of which all keys are left
/// out.
double info_nce(float* gradient, const float* queries, const float* keys, int64_t rows,
                const QueueSnapshot& queue, const InfoNceOptions& options);

/// The ring. Every member function may be called from several threads at once; calls of info_nce() see the
/// queue as it was when they began.
///
/// Memory: capacity x dim floats (capacity counted as a multiple of 64, dim of 32), half as much again from
/// the first bf16 call on, where the CPU multiplies bf16; 4 bytes a key for its age, 8 for its number. Panels
/// of 64 keys are allocated when first used.
class MomentumQueue {
 public:
  explicit MomentumQueue(const MomentumQueueOptions& options);

  const MomentumQueueOptions& options() const { return options_; }

  /// Appends keys (rows x dim, L2-normalised on the way; a zero row stays zero), overwriting the oldest. They
  /// land where they would one by one: of more rows than the capacity the last ones stay. rows >= 1. `ids`,
  /// one a row, where keys have numbers; a key of a number below 0 is left out of no sum.
  void enqueue(const float* keys, int64_t rows, const int64_t* ids = nullptr);

  double info_nce(float* gradient, const float* queries, const float* keys, int64_t rows,
                  const InfoNceOptions& options) const {
    return vssl::info_nce(gradient, queries, keys, rows, snapshot(), options);
  }

  QueueSnapshot snapshot() const;
  int64_t length() const;
  int64_t bytes() const;  ///< of keys and ages, as allocated at the moment

  /// Replaces the contents by those of a snapshot taken apart with the functions below: `keys` (length x dim,
  /// taken as they are) and `ages` in slot order, and the slot of the next key. Gives the same bits as the
  /// queue it came from. Throws unless the sizes fit, the rows are finite and no longer than 1 (or all NaN,
  /// as enqueue() keeps what is not finite), and the ages are whole numbers that do not rise from the oldest
  /// key to the newest.
  void restore(const float* keys, const float* ages, int64_t length, int64_t next,
               const int64_t* ids = nullptr);

 private:
  queue::Panel& writable(int64_t slot);
  void write(int64_t slot, const float* key, uint32_t born, int64_t id);
  void fill_at_random();

  MomentumQueueOptions options_;
  mutable std::mutex mutex_;
  QueueSnapshot now_;
};

/// In slot order: keys length x dim, ages length, ids length.
void copy_keys(float* keys, const QueueSnapshot& queue);
void copy_ages(float* ages, const QueueSnapshot& queue);
/// Of a queue whose keys have numbers; -1 for one of none.
void copy_ids(int64_t* ids, const QueueSnapshot& queue);

}  // namespace vssl
