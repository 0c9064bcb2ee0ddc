// InfoNCE against the queue: the schedule. Equation in queue.h, inner loops in queue_tiles.inl.
//
//   1 load    normalise queries into qt; similarity of the positives
//   2 sweep   per group of query panels and split of the queue: S, weights w, their sums, W K
//   3 finish  add the splits up in order, loss, gradient through the normalisation
//
// With n_i = sum_j w_j exp(x_ij) and d_i = log n_i - s_i+, the loss of a row is log(1 + exp(d_i)), and its
// gradient with respect to z_i is sigmoid(d_i) / tau times ((sum_j w_ij k_j) / n_i - p_i): nothing cancels.
//
// Exponentials. Keys are unit rows, so no exponent passes |z| / tau and one shift serves all rows. Where the
// least exponent (the opposite key, the oldest weight) would come near 2^-126, the sweep keeps a running
// maximum for each row instead, and rescales what it has when that moves.
#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "arguments.h"
#include "isa.h"
#include "parallel.h"
#include "queue.h"
#include "queue_own.h"
#include "queue_panel.h"
#include "queue_rows.h"
#include "queue_shape.h"
#include "queue_tiles.h"
#include "workspace.h"

namespace vssl {
namespace queue {
namespace {

constexpr double kLog2E = 1.4426950408889634074;
constexpr double kLn2 = 0.69314718055994530942;
constexpr double kLeastExponent = -124;  // down to here the fixed shift loses nothing

class InfoNce {
 public:
  InfoNce(float* gradient, const float* queries, const float* keys, const Shape& shape,
          const QueueSnapshot& queue, const InfoNceOptions& options)
      : gradient_(gradient),
        q_(queries),
        k_(keys),
        shape_(shape),
        queue_(queue),
        normalize_(options.normalize),
        tau_(options.temperature),
        scale_(static_cast<float>(kLog2E / options.temperature)),
        log2_decay_(std::log2(queue.options.decay)),
        one_less_(1 / queue.options.decay),
        decays_(queue.options.decay != 1),
        on_logit_(queue.options.decay_on == DecayOn::kLogit),
        tiles_(table_of(selected_isa())),
        bf16_(options.precision == Precision::kBf16 ? bf16_products() : nullptr),
        own_(queue, options.ids, shape.rows),
        workspace_(bytes()) {
    buffers_.lay_out(shape_, gradient_ != nullptr, bf16_ != nullptr, [&](auto*& place, int64_t count) {
      place = workspace_.take<std::remove_reference_t<decltype(*place)>>(count);
    });
    load_.reset(shape_.blocks);
    sweep_.reset(shape_.groups * shape_.splits);
    finish_.reset(shape_.blocks);
  }

  double run(int threads) {
    run_team(threads, [this] { work(); });
    double loss = 0;
    if (finite()) {
      for (int64_t b = 0; b < shape_.blocks; ++b) loss += buffers_.block_loss[b];
      return loss / static_cast<double>(shape_.rows);
    }
    if (gradient_) std::fill_n(gradient_, shape_.rows * shape_.dim, std::numeric_limits<float>::quiet_NaN());
    return std::numeric_limits<double>::quiet_NaN();
  }

 private:
  std::size_t bytes() const {
    std::size_t total = 0;
    Buffers plan;
    plan.lay_out(shape_, gradient_ != nullptr, bf16_ != nullptr, [&](auto*& place, int64_t count) {
      total += Workspace::padded(count * static_cast<int64_t>(sizeof(*place)));
    });
    return total;
  }

  // Runs on every thread of the team; decisions are taken from shared data, so all threads take the same
  // ones.
  void work() {
    load_.run([this](int64_t block) { load(block); });
    if (!finite()) return;
    const bool fixed = fixed_shift_suffices();
    sweep_.run([&](int64_t task) { sweep(task / shape_.splits, task % shape_.splits, fixed); });
    finish_.run([&](int64_t block) { finish(block, fixed); });
  }

  int64_t rows_from(int64_t row, int64_t most) const {
    return std::max<int64_t>(0, std::min(most, shape_.rows - row));
  }

  double factor_of(double square) const {
    return normalize_ ? 1 / std::max(std::sqrt(square), kNormEps) : 1.0;
  }

  RowPair row_pair(int64_t row) const {
    return {q_ + row * shape_.dim, k_ + row * shape_.dim, buffers_.query_factors[row],
            buffers_.positive_factors[row]};
  }

  double load_row(int64_t row) {
    const int64_t dim = shape_.dim, block = row / kBlock * kBlock, column = row % kBlock;
    if (bf16_) return load_row_bf16(buffers_.qt16 + block * words_of(dim) + column, row_pair(row), dim);
    return queue::load_row(buffers_.qt + block * dim + column, row_pair(row), dim);
  }

  void load(int64_t block) {
    const int64_t begin = block * kBlock, count = rows_from(begin, kBlock), dim = shape_.dim;
    double largest = 0;
    if (bf16_) {
      std::fill_n(buffers_.qt16 + begin * words_of(dim), kBlock * words_of(dim), 0u);
    } else {
      std::fill_n(buffers_.qt + begin * dim, kBlock * dim, 0.0f);
    }
    for (int64_t r = 0; r < count; ++r) {
      const int64_t row = begin + r;
      const double squares[2] = {squared_norm(q_ + row * dim, dim), squared_norm(k_ + row * dim, dim)};
      for (double square : squares) {
        if (square > largest || std::isnan(square)) largest = square;  // NaN stays
      }
      buffers_.query_factors[row] = factor_of(squares[0]);
      buffers_.positive_factors[row] = factor_of(squares[1]);
      buffers_.positives[row] = load_row(row);
    }
    buffers_.block_squares[block] = largest;
  }

  // Of the squared norms of queries and positive keys; NaN if one is.
  double largest_square() const {
    double largest = 0;
    for (int64_t b = 0; b < shape_.blocks; ++b) {
      const double square = buffers_.block_squares[b];
      if (square > largest || std::isnan(square)) largest = square;
    }
    return largest;
  }

  // Bounds |z_i . k_j|: queued keys are unit rows.
  double largest_similarity() const { return normalize_ ? 1.0 : std::sqrt(largest_square()); }

  bool finite() const {
    const double square = largest_square();
    return queue_.broken == 0 && std::isfinite(square) && (normalize_ || square <= FLT_MAX / 4) &&
           scale_ * largest_similarity() <= FLT_MAX / 4;
  }

  float shift() const { return static_cast<float>(scale_ * largest_similarity()); }

  bool fixed_shift_suffices() const {
    double least = -2.0 * shift();
    if (!on_logit_ && shape_.length > 0) {
      const int64_t oldest = shape_.length < queue_.options.capacity ? 0 : queue_.next;
      least += log2_decay_ * static_cast<double>(age_of(oldest));
    }
    return least >= kLeastExponent;
  }

  uint32_t age_of(int64_t slot) const {
    return queue_.clock - queue_.panels[slot / kKeyPanel]->born[slot % kKeyPanel];
  }

  // Neighbours are of one enqueue, or of keys one after the other: what they have follows from the last.
  void terms_of(KeyTerms& terms, int64_t panel, float shift) const {
    const uint32_t* born = queue_.panels[panel]->born;
    double power = 1;
    for (int64_t r = 0; r < keys_of(panel); ++r) {
      if (r > 0 && (born[r] == born[r - 1] || !decays_)) {
        terms.slope[r] = terms.slope[r - 1];
        terms.offset[r] = terms.offset[r - 1];
        terms.pull[r] = terms.pull[r - 1];
        continue;
      }
      const double exponent = log2_decay_ * static_cast<double>(queue_.clock - born[r]);
      const bool follows = r > 0 && born[r] == born[r - 1] + 1 && one_less_ < 2;  // no overflow, no underflow
      if (on_logit_) power = follows ? power * one_less_ : std::exp2(exponent);
      terms.slope[r] = static_cast<float>(power * scale_);
      terms.offset[r] = on_logit_ ? -shift : static_cast<float>(exponent - shift);
      terms.pull[r] = static_cast<float>(power);
    }
  }

  // One group of query panels against one split of the queue.
  void sweep(int64_t group, int64_t split, bool fixed) {
    KeyTerms terms;
    const int64_t begin = group * shape_.group * kQueryPanel;
    const int64_t nq = rows_from(begin, shape_.group * kQueryPanel);
    const int64_t padded_nq = (nq + kQueryPanel - 1) / kQueryPanel * kQueryPanel;
    const int64_t place = split * shape_.padded_rows() + begin;
    std::fill_n(buffers_.sums + place, padded_nq, 0.0f);
    std::fill_n(buffers_.tops + place, padded_nq, -FLT_MAX);
    if (gradient_) {
      std::fill_n(buffers_.g + place * shape_.padded_dim, padded_nq * shape_.padded_dim, 0.0f);
    }
    const int64_t end = shape_.first_key_panel(split + 1);
    for (int64_t panel = shape_.first_key_panel(split); panel < end; ++panel) {
      terms_of(terms, panel, fixed ? shift() : 0.0f);
      const int64_t next = panel + 1 < end ? panel + 1 : panel;
      if (bf16_) {
        sweep_panel_bf16(terms, panel, next, place, begin, nq, fixed);
      } else {
        sweep_panel(terms, panel, next, place, begin, nq, fixed);
      }
    }
  }

  int64_t keys_of(int64_t panel) const { return std::min(kKeyPanel, shape_.length - panel * kKeyPanel); }

  // The queries from `begin` on against one panel of keys; sums, tops and g of this split are at `place`.
  void sweep_panel(const KeyTerms& terms, int64_t panel, int64_t next, int64_t place, int64_t begin,
                   int64_t nq, bool fixed) {
    alignas(64) float tile[kTile];
    const int64_t nk = keys_of(panel), dim = shape_.dim;
    const float* keys = queue_.panels[panel]->values.get();
    const float* keys_of_next = queue_.panels[next]->values.get();
    for (int64_t first = 0; first < nq; first += kQueryPanel) {
      const int64_t n = std::min(kQueryPanel, nq - first);
      tiles_.scores(tile, keys, first == 0 ? keys_of_next : nullptr, buffers_.qt + (begin + first) * dim, nk,
                    n, dim);
      weigh(tile, terms, own_.of(panel, begin + first, n), begin + first, place + first, nk, n, fixed);
      if (gradient_)
        tiles_.add_keys(buffers_.g + (place + first) * shape_.padded_dim, tile, keys, nk, n, dim);
    }
  }

  void sweep_panel_bf16(const KeyTerms& terms, int64_t panel, int64_t next, int64_t place, int64_t begin,
                        int64_t nq, bool fixed) {
    alignas(64) float tile[kTile];
    alignas(64) uint32_t pairs[kMostPanels * kTile / 2];
    const int64_t nk = keys_of(panel), dim = shape_.dim;
    const uint32_t* keys = queue_.panels[panel]->packed(*bf16_, dim);
    const uint32_t* keys_of_next = queue_.panels[next]->packed(*bf16_, dim);
    for (int64_t first = 0; first < nq; first += kQueryPanel) {
      const int64_t n = std::min(kQueryPanel, nq - first);
      bf16_->scores(tile, keys, first == 0 ? keys_of_next : nullptr,
                    buffers_.qt16 + (begin + first) * words_of(dim), nk, n, dim);
      weigh(tile, terms, own_.of(panel, begin + first, n), begin + first, place + first, nk, n, fixed);
      if (gradient_) bf16_->pair_weights(pairs + first * kKeyPanel / 2, tile, nk, n);
    }
    if (gradient_) bf16_->add_keys(buffers_.g + place * shape_.padded_dim, pairs, keys, nk, nq, dim);
  }

  // tile: S' to W', of the queries from `row` on; `own` keys of theirs are left out.
  void weigh(float* tile, const KeyTerms& terms, const OwnKeys::Range& own, int64_t row, int64_t place,
             int64_t nk, int64_t nq, bool fixed) {
    float *sums = buffers_.sums + place, *tops = buffers_.tops + place;
    const OwnColumns columns(own, row, tile, sums, tops, nk);
    if (fixed) {
      tiles_.weigh_fixed(tile, sums, terms, decays_ && on_logit_, nk, nq);
      columns.weigh_fixed(tile, sums, terms);
      return;
    }
    alignas(64) float factors[kQueryPanel];
    const bool all_moved = tiles_.weigh_running(tile, sums, tops, factors, terms, nk, nq);
    const bool moved = columns.weigh_running(tile, sums, tops, factors, terms) || all_moved;
    if (moved && gradient_) tiles_.rescale(buffers_.g + place * shape_.padded_dim, factors, nq, shape_.dim);
  }

  // Adds the splits up, for one block of queries: leaves g in the first split. sums and tops in log2 units.
  void add_splits(double* sums, double* tops, int64_t begin, int64_t count, bool fixed) {
    const int64_t step = shape_.padded_rows();
    for (int64_t r = 0; r < count; ++r) {
      tops[r] = fixed ? shift() : -FLT_MAX;
      sums[r] = 0;
      for (int64_t s = 0; s < shape_.splits && !fixed; ++s) {
        tops[r] = std::max<double>(tops[r], buffers_.tops[s * step + begin + r]);
      }
    }
    for (int64_t s = 0; s < shape_.splits; ++s) {
      alignas(64) float factors[kBlock];
      const int64_t place = s * step + begin;
      for (int64_t r = 0; r < count; ++r) {
        factors[r] = fixed ? 1.0f : static_cast<float>(std::exp2(buffers_.tops[place + r] - tops[r]));
        sums[r] += static_cast<double>(factors[r]) * buffers_.sums[place + r];
      }
      if (gradient_ == nullptr) continue;
      if (s > 0) {
        tiles_.add_scaled(gradient_of(begin, 0), gradient_of(begin, s), factors, count, shape_.dim);
      } else if (!fixed) {
        tiles_.rescale(gradient_of(begin, 0), factors, count, shape_.dim);
      }
    }
  }

  float* gradient_of(int64_t row, int64_t split) {
    const int64_t panel = row / kQueryPanel * kQueryPanel;
    return buffers_.g + (split * shape_.padded_rows() + panel) * shape_.padded_dim +
           row % kQueryPanel * kBlock;
  }

  void finish(int64_t block, bool fixed) {
    const int64_t begin = block * kBlock, count = rows_from(begin, kBlock);
    double sums[kBlock], tops[kBlock], loss = 0;
    if (shape_.length > 0) add_splits(sums, tops, begin, count, fixed);
    for (int64_t r = 0; r < count; ++r) {
      const int64_t row = begin + r;
      double pull = 0, inverse_sum = 0;
      if (shape_.length > 0) {
        const double above = static_cast<double>(scale_) * buffers_.positives[row];
        const double d = kLn2 * (tops[r] + std::log2(sums[r]) - above);
        loss += d > 0 ? d + std::log1p(std::exp(-d)) : std::log1p(std::exp(d));
        pull = d > 0 ? 1 / (1 + std::exp(-d)) : std::exp(d) / (1 + std::exp(d));
        inverse_sum = sums[r] > 0 ? 1 / sums[r] : 0;  // 0: all keys are left out, d is -infinity
      }
      if (gradient_ == nullptr) continue;
      const bool projects = normalize_ && buffers_.query_factors[row] < 1 / kNormEps;
      store_row(gradient_ + row * shape_.dim, gradient_of(row, 0), row_pair(row), shape_.dim,
                pull / (static_cast<double>(shape_.rows) * tau_), inverse_sum, projects);
    }
    buffers_.block_loss[block] = loss;
  }

  float* const gradient_;
  const float* const q_;
  const float* const k_;
  const Shape shape_;
  const QueueSnapshot& queue_;
  const bool normalize_;
  const double tau_;
  const float scale_;  // log2(e) / tau
  const double log2_decay_;
  const double one_less_;  // from a power of the decay to that of a key one younger
  const bool decays_, on_logit_;
  const QueueTiles& tiles_;
  const QueueBf16Tiles* const bf16_;  // null: fp32 products
  const OwnKeys own_;
  Workspace workspace_;
  Buffers buffers_;
  Phase load_, sweep_, finish_;
};

void validate(const float* queries, const float* keys, int64_t rows, int64_t dim,
              const InfoNceOptions& options) {
  expect_memory(queries, keys);
  expect_range(rows, 1, most_beside(dim), "rows");
  expect_temperature(options.temperature);
  expect_threads(options.threads);
}

}  // namespace
}  // namespace queue

double info_nce(float* gradient, const float* queries, const float* keys, int64_t rows,
                const QueueSnapshot& snapshot, const InfoNceOptions& options) {
  const int64_t dim = snapshot.options.dim;
  queue::validate(queries, keys, rows, dim, options);
  if (options.ids != nullptr && !snapshot.options.ids)
    throw Error(kInvalidArgument, "expected no ids of a queue whose keys have no numbers");
  const queue::Shape shape(rows, dim, snapshot.length);
  return queue::InfoNce(gradient, queries, keys, shape, snapshot, options)
      .run(useful_threads(options.threads, 4.0 * static_cast<double>(rows * dim) * snapshot.length,
                          kFlopsPerThread));
}

}  // namespace vssl
