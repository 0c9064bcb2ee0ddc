// The ring of keys. A panel that a snapshot shares is copied before it is written, so calls that run keep
// what they began with and nobody waits.
#include "queue.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "../common/error.h"
#include "../common/memory.h"
#include "arguments.h"
#include "queue_panel.h"

namespace vssl {
namespace {

using queue::kBlock;
using queue::kKeyPanel;
using queue::kNormEps;
using queue::Panel;
using queue::squared_norm;

constexpr double kLongestSquare = 1 + 1e-5;  // of a unit row rounded to fp32, generously

void validate(const MomentumQueueOptions& options) {
  expect_range(options.capacity, 1, kMostQueueKeys, "capacity");
  expect_range(options.dim, 1, std::numeric_limits<int64_t>::max(), "dim");
  if (!(options.decay > 0 && options.decay <= 1)) {
    throw Error(kInvalidArgument, "expected a number above 0, at most 1, for decay but received " +
                                      std::to_string(options.decay));
  }
}

void expect_ids(const MomentumQueueOptions& options, const int64_t* ids) {
  if (options.ids == (ids != nullptr)) return;
  throw Error(kInvalidArgument, options.ids ? "expected ids, one a key, of a queue whose keys have numbers"
                                            : "expected no ids of a queue whose keys have no numbers");
}

int64_t padded(int64_t dim) { return (dim + kBlock - 1) / kBlock * kBlock; }

bool is_broken(const float* row) { return std::isnan(row[0]); }  // such rows are NaN throughout

uint64_t mix(uint64_t x) {  // the finaliser of SplitMix64 (Steele et al. 2014)
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// Nearly normal: the sum of four uniform 16-bit numbers, centred. An odd whole number, so never 0, and
// squares add up exactly in double.
double centred_draw(uint64_t key, uint64_t counter) {
  const uint64_t bits = mix(key + counter * 0x9e3779b97f4a7c15u);
  const uint64_t sum = (bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48);
  return 2 * static_cast<double>(sum) - 4 * 65535 + 1;
}

}  // namespace

MomentumQueue::MomentumQueue(const MomentumQueueOptions& options) : options_(options) {
  validate(options);
  // In double, which does not overflow; what fits in memory is far from overflowing anything else.
  check_memory(static_cast<double>(options.capacity) * (static_cast<double>(options.dim) + 1) * sizeof(float),
               "a queue of " + std::to_string(options.capacity) + " keys of " + std::to_string(options.dim) +
                   " numbers");
  now_.options = options;
  now_.panels.resize((options.capacity + kKeyPanel - 1) / kKeyPanel);
  if (options.init == QueueInit::kRandom) fill_at_random();
}

void MomentumQueue::fill_at_random() {
  const int64_t dim = options_.dim;
  const uint64_t key = mix(options_.seed + 0x9e3779b97f4a7c15u);
  std::vector<double> draws(dim);
  std::vector<float> row(dim);
  for (int64_t slot = 0; slot < options_.capacity; ++slot) {
    double square = 0;
    for (int64_t k = 0; k < dim; ++k) {
      draws[k] = centred_draw(key, static_cast<uint64_t>(slot * dim + k));
      square += draws[k] * draws[k];
    }
    const double norm = std::sqrt(square);
    for (int64_t k = 0; k < dim; ++k) row[k] = static_cast<float>(draws[k] / norm);
    if (slot % kKeyPanel == 0) writable(slot);
    write(slot, row.data(), now_.clock, -1);
  }
  now_.length = options_.capacity;
}

// The panel of a slot, in memory that no snapshot shares.
Panel& MomentumQueue::writable(int64_t slot) {
  std::shared_ptr<Panel>& panel = now_.panels[slot / kKeyPanel];
  if (panel == nullptr) {
    panel = std::make_shared<Panel>(padded(options_.dim), options_.ids);
  } else if (panel.use_count() > 1) {
    panel = std::make_shared<Panel>(*panel);
  } else {
    std::atomic_thread_fence(std::memory_order_acquire);  // after the last reader's release
  }
  panel->is_packed.store(false, std::memory_order_relaxed);
  return *panel;
}

void MomentumQueue::write(int64_t slot, const float* key, uint32_t born, int64_t id) {
  Panel& panel = *now_.panels[slot / kKeyPanel];
  float* row = panel.row(slot % kKeyPanel);
  now_.broken += is_broken(key) - is_broken(row);
  panel.born[slot % kKeyPanel] = born;
  if (panel.ids) panel.ids[slot % kKeyPanel] = id < 0 ? -1 : id;
  for (int64_t first = 0; first < options_.dim; first += kBlock) {
    std::copy_n(key + first, std::min(kBlock, options_.dim - first), row + first * kKeyPanel);
  }
}

void MomentumQueue::enqueue(const float* keys, int64_t rows, const int64_t* ids) {
  expect_memory(keys, keys);
  expect_ids(options_, ids);
  if (rows < 1) {
    throw Error(kInvalidArgument, "expected 1 or more for rows but received " + std::to_string(rows));
  }
  const int64_t capacity = options_.capacity, dim = options_.dim;
  const bool by_key = options_.age_unit == AgeUnit::kKey;
  std::vector<float> key(dim);
  std::lock_guard<std::mutex> lock(mutex_);
  const int64_t skipped = std::max<int64_t>(0, rows - capacity);
  const int64_t begin = (now_.next + skipped) % capacity, kept = rows - skipped;
  // All that can fail comes first.
  writable(begin);
  for (int64_t r = 1; r < kept; ++r) {
    const int64_t slot = (begin + r) % capacity;
    if (slot % kKeyPanel == 0) writable(slot);
  }
  for (int64_t r = 0; r < kept; ++r) {
    const float* x = keys + (skipped + r) * dim;
    const double norm = std::sqrt(squared_norm(x, dim));
    const double factor = std::isfinite(norm) ? 1 / std::max(norm, kNormEps) : NAN;
    for (int64_t k = 0; k < dim; ++k) key[k] = static_cast<float>(x[k] * factor);
    const int64_t born = by_key ? skipped + r : 0;
    write((begin + r) % capacity, key.data(), now_.clock + static_cast<uint32_t>(born),
          ids == nullptr ? -1 : ids[skipped + r]);
  }
  now_.clock += by_key ? static_cast<uint32_t>(rows) : 1;
  now_.length = std::min(capacity, now_.length + kept);
  now_.next = (begin + kept) % capacity;
}

void MomentumQueue::restore(const float* keys, const float* ages, int64_t length, int64_t next,
                            const int64_t* ids) {
  const int64_t capacity = options_.capacity, dim = options_.dim;
  if (length < 0 || length > capacity || next < 0 || next >= capacity ||
      (length < capacity && next != length)) {
    throw Error(kInvalidArgument, "expected a length up to the capacity, and the slot after the newest key");
  }
  if (length > 0 && (keys == nullptr || ages == nullptr)) {
    throw Error(kInvalidArgument, "expected keys and ages but received null");
  }
  if (length > 0) expect_ids(options_, ids);
  const int64_t oldest = length < capacity ? 0 : next;
  double older = static_cast<double>(kMostQueueKeys);
  for (int64_t i = 0; i < length; ++i) {
    const int64_t slot = (oldest + i) % capacity;
    const double age = ages[slot];
    if (!(age >= 0 && age <= older) || age != std::floor(age)) {
      throw Error(kInvalidArgument, "expected ages that do not rise from the oldest key to the newest");
    }
    older = age;
    const double square = squared_norm(keys + slot * dim, dim);
    if (square > kLongestSquare) throw Error(kInvalidArgument, "expected keys no longer than 1");
  }
  MomentumQueueOptions empty = options_;
  empty.init = QueueInit::kEmpty;
  MomentumQueue fresh(empty);
  const std::vector<float> broken(dim, std::numeric_limits<float>::quiet_NaN());
  for (int64_t slot = 0; slot < length; ++slot) {
    if (slot % kKeyPanel == 0) fresh.writable(slot);
    const float* key = keys + slot * dim;
    const bool finite = std::isfinite(squared_norm(key, dim));
    fresh.write(slot, finite ? key : broken.data(), 0u - static_cast<uint32_t>(ages[slot]),
                ids == nullptr ? -1 : ids[slot]);
  }
  std::lock_guard<std::mutex> lock(mutex_);
  fresh.now_.options = options_;
  fresh.now_.length = length;
  fresh.now_.next = next;
  now_ = std::move(fresh.now_);
}

QueueSnapshot MomentumQueue::snapshot() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return now_;
}

int64_t MomentumQueue::length() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return now_.length;
}

int64_t MomentumQueue::bytes() const {
  std::lock_guard<std::mutex> lock(mutex_);
  int64_t total = 0;
  for (const auto& panel : now_.panels) total += panel == nullptr ? 0 : panel->bytes();
  return total;
}

void copy_keys(float* keys, const QueueSnapshot& queue) {
  const int64_t dim = queue.options.dim;
  for (int64_t slot = 0; slot < queue.length; ++slot) {
    const float* row = queue.panels[slot / kKeyPanel]->row(slot % kKeyPanel);
    for (int64_t first = 0; first < dim; first += kBlock) {
      std::copy_n(row + first * kKeyPanel, std::min(kBlock, dim - first), keys + slot * dim + first);
    }
  }
}

void copy_ages(float* ages, const QueueSnapshot& queue) {
  for (int64_t slot = 0; slot < queue.length; ++slot) {
    const uint32_t born = queue.panels[slot / kKeyPanel]->born[slot % kKeyPanel];
    ages[slot] = static_cast<float>(queue.clock - born);
  }
}

void copy_ids(int64_t* ids, const QueueSnapshot& queue) {
  for (int64_t slot = 0; slot < queue.length; ++slot)
    ids[slot] = queue.panels[slot / kKeyPanel]->ids[slot % kKeyPanel];
}

}  // namespace vssl
