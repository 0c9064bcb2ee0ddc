// NT-Xent: the schedule. Equation in kernels.h, inner loops in ntxent_tiles.inl.
//
//   1 load    normalise rows into the two layouts of ntxent_tiles.h
//   2 sums    upper tiles of S: e_ij into the sums of row i and of row j
//   3 finish  r_i = 1 / sum_i, loss
//   4 weigh   upper tiles again: H_ij = e_ij (r_i + r_j) - 2 [j = pos(i)];  g_i += H_ij z_j,  g_j += H_ij z_i
//   5 store   through the normalisation, to the caller's array
//
// Exponentials. With unit rows s_ij <= 1/tau, so exp((s - 1) / tau) needs no row maximum and one exponential
// serves both rows. That loses everything below 2^-125; when a row's sum comes out so small that this could
// show (tau under 0.02 and rows nearly opposite to all others), or when rows are not unit and large, the
// passes run with a running maximum per row and two exponentials instead.
#include <algorithm>
#include <atomic>
#include <cfloat>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>
#include <string>

#include "../common/error.h"
#include "arguments.h"
#include "bf16.h"
#include "isa.h"
#include "kernels.h"
#include "ntxent_shape.h"
#include "ntxent_tiles.h"
#include "parallel.h"
#include "tournament.h"
#include "workspace.h"

namespace vssl {
namespace ntxent {
namespace {

constexpr double kLog2E = 1.4426950408889634074;
constexpr double kLn2 = 0.69314718055994530942;
constexpr double kLargestFixedShift = 120;  // beyond it the fixed shift is hopeless: do not try

class NtXent {
 public:
  NtXent(float* gradient, const float* embeddings, const Shape& shape, const NtXentOptions& options)
      : gradient_(gradient),
        x_(embeddings),
        shape_(shape),
        normalize_(options.normalize),
        tau_(options.temperature),
        scale_(static_cast<float>(kLog2E / options.temperature)),
        keep_(gradient != nullptr && shape.keeps_tiles()),
        tiles_(table_of(selected_isa())),
        bf16_(options.precision == Precision::kBf16 ? bf16_products() : nullptr),
        share_(options.share),
        workspace_(bytes()) {
    buffers_.lay_out(shape_, gradient_ != nullptr, keep_, bf16_ != nullptr, [&](auto*& place, int64_t count) {
      place = workspace_.take<std::remove_reference_t<decltype(*place)>>(count);
    });
    load_.reset(shape_.blocks);
    for (int pass = 0; pass < 3; ++pass) {
      for (int64_t i = 0; i < shape_.groups; ++i) new (&buffers_.played[pass][i]) std::atomic<int64_t>(0);
      tournaments_[pass].reset(shape_.groups, buffers_.played[pass]);
    }
    for (Phase* phase : {&finish_fixed_, &finish_running_, &store_}) phase->reset(shape_.panels);
    for (Phase& phase : add_up_) phase.reset(1);
  }

  NtXentResult run(int threads) {
    run_team(threads, [this] { work(); });
    NtXentResult result;
    if (!finite()) {
      result.loss = result.grad_temperature = std::numeric_limits<double>::quiet_NaN();
      if (gradient_)
        std::fill_n(gradient_, shape_.rows * shape_.dim, std::numeric_limits<float>::quiet_NaN());
      return result;
    }
    double along = 0;
    for (int64_t p = 0; p < shape_.panels; ++p) {
      result.loss += buffers_.panel_loss[p];
      if (gradient_) along += buffers_.panel_along[p];
    }
    const double n = static_cast<double>(shape_.rows);
    result.loss /= n;
    if (gradient_) result.grad_temperature = -along / (2 * n * tau_ * tau_);
    return result;
  }

 private:
  std::size_t bytes() const {
    std::size_t total = 0;
    Buffers plan;
    plan.lay_out(shape_, gradient_ != nullptr, keep_, bf16_ != nullptr, [&](auto*& place, int64_t count) {
      total += Workspace::padded(count * static_cast<int64_t>(sizeof(*place)));
    });
    return total;
  }

  // Runs on every thread of the team; decisions are taken from shared data, so all threads take the same
  // ones.
  void work() {
    load_.run([this](int64_t block) { load(block); });
    if (!finite()) return;
    bool fixed = scale_ * largest_square() <= kLargestFixedShift;
    if (fixed) {
      const FixedShift shift = fixed_shift();
      tournaments_[0].run([&](int64_t a, int64_t b) {
        each_tile(a, b, [&](int64_t i, int64_t j) { sum_fixed(i, j, shift); });
      });
      if (is_shared()) add_up_[0].run([&](int64_t) { add_up_sums(); });
      finish_fixed_.run([&](int64_t p) { finish_fixed(p, shift); });
      fixed = fixed_shift_sufficed();
    }
    if (!fixed) {
      tournaments_[1].run(
          [&](int64_t a, int64_t b) { each_tile(a, b, [&](int64_t i, int64_t j) { sum_running(i, j); }); });
      if (is_shared()) add_up_[1].run([&](int64_t) { add_up_running(); });
      finish_running_.run([&](int64_t p) { finish_running(p); });
    }
    if (gradient_ == nullptr) return;
    tournaments_[2].run(
        [&](int64_t a, int64_t b) { each_tile(a, b, [&](int64_t i, int64_t j) { weigh(i, j, fixed); }); });
    if (is_shared())
      add_up_[2].run(
          [&](int64_t) { share_->add_up_floats(buffers_.g, shape_.padded_rows * shape_.padded_dim); });
    store_.run([this](int64_t p) { store(p); });
  }

  void load(int64_t block) {
    const int64_t row = block * kBlock;
    const int64_t p = row / shape_.panel;
    const int64_t in_panel = (row - p * shape_.panel) * kBlock;
    const int64_t offset = p * shape_.panel * shape_.padded_dim + in_panel;
    const int64_t count = std::max<int64_t>(0, std::min(kBlock, shape_.rows - row));
    buffers_.block_squares[block] =
        tiles_.load_block(buffers_.zd + offset, bf16_ ? nullptr : buffers_.zt + row * shape_.dim,
                          buffers_.g ? buffers_.g + offset : nullptr, buffers_.norms + row,
                          x_ + row * shape_.dim, count, shape_.dim, shape_.panel, normalize_);
    if (bf16_) {
      const int64_t offset16 = p * shape_.panel / 2 * shape_.padded_dim + in_panel / 2;
      bf16_->pack_block(buffers_.zt16 + row * shape_.pairs(), buffers_.zd16 + offset16, buffers_.zd + offset,
                        shape_.dim, shape_.panel);
    }
    std::fill_n(buffers_.row_lanes + row * kLanes, kBlock * kLanes, 0.0f);
    std::fill_n(buffers_.column_sums + row, kBlock, 0.0f);
    std::fill_n(buffers_.inverse_sums + row, kBlock, 0.0f);
    std::fill_n(buffers_.positives + row, kBlock, 0.0f);
    std::fill_n(buffers_.top + row, kBlock, -FLT_MAX);
    std::fill_n(buffers_.sum + row, kBlock, 0.0f);
  }

  // Of the squared norms of the input's rows; NaN if one is.
  double largest_input_square() const {
    double largest = 0;
    for (int64_t b = 0; b < shape_.blocks; ++b) {
      const double square = buffers_.block_squares[b];
      if (square > largest || std::isnan(square)) largest = square;  // NaN stays
    }
    return largest;
  }

  // Bounds |z_i . z_j| and every partial sum of it.
  double largest_square() const { return normalize_ ? 1.0 : largest_input_square(); }

  bool finite() const {
    const double square = largest_input_square();
    return std::isfinite(scale_) && std::isfinite(square) && (normalize_ || square <= FLT_MAX / 4);
  }

  FixedShift fixed_shift() const { return {scale_, static_cast<float>(scale_ * largest_square())}; }

  bool fixed_shift_sufficed() const {
    // What was clamped adds at most rows * 2^-125 to a sum: below fp32's resolution of it?
    const double enough = std::ldexp(static_cast<double>(shape_.rows), -125 + 24);
    return std::all_of(buffers_.panel_smallest, buffers_.panel_smallest + shape_.panels,
                       [&](double smallest) { return smallest >= enough; });
  }

  template <typename Work>
  void each_tile(int64_t a, int64_t b, Work&& work) const {
    const int64_t end_a = std::min(shape_.panels, (a + 1) * shape_.group);
    const int64_t end_b = std::min(shape_.panels, (b + 1) * shape_.group);
    for (int64_t i = a * shape_.group; i < end_a; ++i) {
      for (int64_t j = a == b ? i : b * shape_.group; j < end_b; ++j)
        if (shape_.owns_tile(i, j)) work(i, j);
    }
  }

  bool is_shared() const { return shape_.shares > 1; }

  // Sums of rows and positives become those over the tiles of all callers.
  void add_up_sums() {
    const int64_t n = shape_.padded_rows;
    double *sums = buffers_.shared, *positives = sums + n;
    for (int64_t row = 0; row < n; ++row) {
      sums[row] = own_sum(row);
      positives[row] = buffers_.positives[row];
    }
    share_->add_up(sums, 2 * n);
    for (int64_t row = 0; row < n; ++row) buffers_.positives[row] = static_cast<float>(positives[row]);
  }

  // The same of running maxima, each caller's at a place of its own.
  void add_up_running() {
    const int64_t n = shape_.padded_rows, count = shape_.shares;
    double *positives = buffers_.shared, *tops = positives + n, *sums = tops + count * n;
    std::fill_n(positives, Buffers::shared_values(shape_), 0.0);
    for (int64_t row = 0; row < n; ++row) {
      positives[row] = buffers_.positives[row];
      tops[shape_.share * n + row] = buffers_.top[row];
      sums[shape_.share * n + row] = buffers_.sum[row];
    }
    share_->add_up(positives, Buffers::shared_values(shape_));
    for (int64_t row = 0; row < n; ++row) {
      double top = -FLT_MAX, sum = 0;
      for (int64_t k = 0; k < count; ++k) top = std::max(top, tops[k * n + row]);
      for (int64_t k = 0; k < count; ++k)
        sum += sums[k * n + row] * std::exp2((tops[k * n + row] - top) * static_cast<double>(scale_));
      buffers_.positives[row] = static_cast<float>(positives[row]);
      buffers_.top[row] = static_cast<float>(top);
      buffers_.sum[row] = static_cast<float>(sum);
    }
  }

  double own_sum(int64_t row) const {
    double sum = buffers_.column_sums[row];
    for (int64_t lane = 0; lane < kLanes; ++lane) sum += buffers_.row_lanes[row * kLanes + lane];
    return sum;
  }

  // tile = S of panels i <= j, with what must not count (the diagonal, missing columns) far below everything.
  void similarity(float* tile, int64_t i, int64_t j) const {
    const int64_t ni = shape_.rows_of(i), nj = shape_.rows_of(j);
    const int64_t dim = shape_.dim;
    if (bf16_) {
      const int64_t stride = shape_.panel * shape_.pairs();
      bf16_->similarity(tile, buffers_.zt16 + i * stride, buffers_.zt16 + j * stride, ni, nj, dim);
    } else {
      const int64_t stride = shape_.panel * dim;
      tiles_.similarity(tile, buffers_.zt + i * stride, buffers_.zt + j * stride, ni, nj, dim);
    }
    if (i == j) {
      for (int64_t r = 0; r < ni; ++r) tile[r * kTileLd + r] = -FLT_MAX;
    }
    const int64_t end = (nj + kBlock - 1) / kBlock * kBlock;
    for (int64_t r = 0; nj < end && r < ni; ++r) std::fill_n(tile + r * kTileLd + nj, end - nj, -FLT_MAX);
  }

  // Calls work(row in panel i, column in panel j) for the positive pairs above the diagonal of this tile.
  template <typename Work>
  void each_positive(int64_t i, int64_t j, Work&& work) const {
    const int64_t row0 = i * shape_.panel, column0 = j * shape_.panel;
    const int64_t begin = std::max(row0, column0 - shape_.half);
    const int64_t end =
        std::min({row0 + shape_.rows_of(i), column0 + shape_.rows_of(j) - shape_.half, shape_.half});
    for (int64_t row = begin; row < end; ++row) work(row - row0, row + shape_.half - column0);
  }

  void keep_positives(const float* tile, int64_t i, int64_t j) {
    each_positive(i, j, [&](int64_t r, int64_t c) {
      const float s = tile[r * kTileLd + c];
      buffers_.positives[i * shape_.panel + r] = s;
      buffers_.positives[j * shape_.panel + c] = s;
    });
  }

  void sum_fixed(int64_t i, int64_t j, FixedShift shift) {
    alignas(64) float tile[kMaxPanel * kTileLd];
    const int64_t ni = shape_.rows_of(i), nj = shape_.rows_of(j);
    similarity(tile, i, j);
    keep_positives(tile, i, j);
    tiles_.sum_fixed(kept(i, j), shape_.streams_tiles(), tile, buffers_.row_lanes + i * shape_.panel * kLanes,
                     i == j ? nullptr : buffers_.column_sums + j * shape_.panel, ni, nj, shape_.panel, shift);
  }

  // Where this tile's exponentials stay for the gradient; null when they do not.
  float* kept(int64_t i, int64_t j) const {
    return keep_ ? buffers_.kept + shape_.tile_index(i, j) / shape_.shares * shape_.panel * shape_.panel
                 : nullptr;
  }

  void sum_running(int64_t i, int64_t j) {
    alignas(64) float tile[kMaxPanel * kTileLd];
    similarity(tile, i, j);
    keep_positives(tile, i, j);
    tiles_.sum_running(tile, running(i), i == j ? RunningRows{nullptr, nullptr} : running(j),
                       shape_.rows_of(i), shape_.rows_of(j), scale_);
  }

  RunningRows running(int64_t p) const {
    return {buffers_.top + p * shape_.panel, buffers_.sum + p * shape_.panel};
  }

  // The loss uses the rounded scale and shift that the sums used, so that a dominant positive cancels.
  void finish_fixed(int64_t p, FixedShift shift) {
    double loss = 0, smallest = DBL_MAX;
    const int64_t begin = p * shape_.panel;
    for (int64_t row = begin; row < begin + shape_.rows_of(p); ++row) {
      const double sum = is_shared() ? buffers_.shared[row] : own_sum(row);
      buffers_.inverse_sums[row] = static_cast<float>(1 / sum);
      loss +=
          std::log(sum) + kLn2 * (shift.shift - static_cast<double>(shift.scale) * buffers_.positives[row]);
      smallest = std::min(smallest, sum);
    }
    buffers_.panel_loss[p] = loss;
    buffers_.panel_smallest[p] = smallest;
  }

  // Leaves log2 of the sum in `sum`.
  void finish_running(int64_t p) {
    double loss = 0;
    const int64_t begin = p * shape_.panel;
    for (int64_t row = begin; row < begin + shape_.rows_of(p); ++row) {
      const double log2_sum = std::log2(static_cast<double>(buffers_.sum[row]));
      const double above = static_cast<double>(buffers_.top[row]) - buffers_.positives[row];
      loss += kLn2 * (log2_sum + scale_ * above);
      buffers_.sum[row] = static_cast<float>(log2_sum);
    }
    buffers_.panel_loss[p] = loss;
  }

  void weigh(int64_t i, int64_t j, bool fixed) {
    const float* const e = fixed ? kept(i, j) : nullptr;
    if (bf16_ && e != nullptr) return weigh_kept_in_bf16(e, i, j);
    alignas(64) float tile[kMaxPanel * kTileLd];
    const int64_t ni = shape_.rows_of(i), nj = shape_.rows_of(j), panel = shape_.panel;
    if (e == nullptr) similarity(tile, i, j);
    if (fixed) {
      tiles_.weigh_fixed(tile, e, buffers_.inverse_sums + i * panel, buffers_.inverse_sums + j * panel, ni,
                         nj, panel, fixed_shift());
    } else {
      tiles_.weigh_running(tile, running(i), running(j), ni, nj, scale_);
    }
    if (i == j) {
      for (int64_t r = 0; r < ni; ++r) tile[r * kTileLd + r] = 0;
    }
    each_positive(i, j, [&](int64_t r, int64_t c) {
      tile[r * kTileLd + c] -= 2;
      if (i == j) tile[c * kTileLd + r] -= 2;
    });
    // The products take rows in whole groups; their surplus lands in padding.
    std::fill(tile + ni * kTileLd, tile + std::min(kMaxPanel, ni + kMicroRowsMax) * kTileLd, 0.0f);
    add_products(tile, i, j);
  }

  // The same without H in fp32: most weights go from e straight to bf16.
  void weigh_kept_in_bf16(const float* e, int64_t i, int64_t j) {
    alignas(64) uint32_t rows[kMaxPanel * kTileLd / 2], columns[kMaxPanel / 2 * kTileLd];
    const RoundedWeights h = {rows, i == j ? nullptr : columns};
    const int64_t ni = shape_.rows_of(i), nj = shape_.rows_of(j), panel = shape_.panel;
    const float* const r_i = buffers_.inverse_sums + i * panel;
    const float* const r_j = buffers_.inverse_sums + j * panel;
    bf16_->weigh_kept(h, e, r_i, r_j, ni, nj, panel);
    const auto set = [&](int64_t r, int64_t c, float weight) {
      const auto rounded = static_cast<uint16_t>(pair_of(weight, 0));
      std::memcpy(reinterpret_cast<uint16_t*>(rows) + r * kTileLd + c, &rounded, sizeof rounded);
      if (i != j)
        std::memcpy(reinterpret_cast<uint16_t*>(columns) + (r / 2 * kTileLd + c) * 2 + r % 2, &rounded,
                    sizeof rounded);
    };
    const auto weight = [&](int64_t r, int64_t c) { return e[r * panel + c] * (r_i[r] + r_j[c]); };
    for (int64_t r = 0; i == j && r < ni; ++r) set(r, r, 0);
    each_positive(i, j, [&](int64_t r, int64_t c) {
      set(r, c, weight(r, c) - 2);
      if (i == j) set(c, r, weight(c, r) - 2);
    });
    std::fill(rows + ni * kTileLd / 2, rows + std::min(kMaxPanel, ni + kMicroRowsMax) * kTileLd / 2, 0u);
    add_rounded_products(h, i, j);
  }

  // g_i += H z_j and, but for the diagonal, where the whole square was there, g_j += H' z_i.
  void add_products(const float* tile, int64_t i, int64_t j) {
    const int64_t ni = shape_.rows_of(i), nj = shape_.rows_of(j), dim = shape_.dim, panel = shape_.panel;
    const int64_t stride = panel * shape_.padded_dim;
    if (bf16_) {
      alignas(64) uint32_t rows[kMaxPanel * kTileLd / 2], columns[kMaxPanel / 2 * kTileLd];
      const RoundedWeights h = {rows, i == j ? nullptr : columns};
      const int64_t padded = std::min(kMaxPanel, (ni + kMicroRowsMax - 1) / kMicroRowsMax * kMicroRowsMax);
      bf16_->round_weights(h, tile, padded, nj);
      return add_rounded_products(h, i, j);
    }
    const float* const z = buffers_.zd;
    tiles_.add_rows(buffers_.g + i * stride, tile, z + j * stride, ni, nj, dim, panel);
    if (i != j) tiles_.add_columns(buffers_.g + j * stride, tile, z + i * stride, ni, nj, dim, panel);
  }

  void add_rounded_products(RoundedWeights h, int64_t i, int64_t j) {
    const int64_t ni = shape_.rows_of(i), nj = shape_.rows_of(j), dim = shape_.dim, panel = shape_.panel;
    const int64_t stride = panel * shape_.padded_dim;
    const uint32_t* const z = buffers_.zd16;
    bf16_->add_rows(buffers_.g + i * stride, h.rows, z + j * stride / 2, ni, nj, dim, panel);
    if (h.columns != nullptr)
      bf16_->add_columns(buffers_.g + j * stride, h.columns, z + i * stride / 2, ni, nj, dim, panel);
  }

  void store(int64_t p) {
    const int64_t row = p * shape_.panel;
    const int64_t stride = shape_.panel * shape_.padded_dim;
    const double scale = 1 / (static_cast<double>(shape_.rows) * tau_);
    buffers_.panel_along[p] = tiles_.store_rows(
        gradient_ + row * shape_.dim, buffers_.g + p * stride, buffers_.zd + p * stride, buffers_.norms + row,
        shape_.rows_of(p), shape_.dim, shape_.panel, scale, normalize_);
  }

  float* const gradient_;
  const float* const x_;
  const Shape shape_;
  const bool normalize_;
  const double tau_;
  const float scale_;  // log2(e) / tau
  const bool keep_;
  const TileKernels& tiles_;
  const Bf16Kernels* const bf16_;  // null: fp32 products
  const NtXentShare* const share_;
  Workspace workspace_;
  Buffers buffers_;
  Phase load_, finish_fixed_, finish_running_, store_, add_up_[3];
  Tournament tournaments_[3];
};

void validate(const float* embeddings, int64_t rows, int64_t dim, const NtXentOptions& options) {
  expect_memory(embeddings, embeddings);
  expect_range(rows, 2, most_beside(1), "rows");
  if (rows % 2 != 0) {
    throw Error(kInvalidArgument, "expected an even number for rows but received " + std::to_string(rows));
  }
  expect_range(dim, 1, most_beside(rows), "dim");
  expect_temperature(options.temperature);
  expect_threads(options.threads);
}

// One positive and no negative: softmax over a single term.
NtXentResult nt_xent_of_one_pair(float* gradient, const float* embeddings, int64_t dim) {
  const bool finite = std::all_of(embeddings, embeddings + 2 * dim, [](float x) { return std::isfinite(x); });
  const double value = finite ? 0.0 : std::numeric_limits<double>::quiet_NaN();
  if (gradient != nullptr) std::fill_n(gradient, 2 * dim, static_cast<float>(value));
  return {value, gradient != nullptr ? value : 0.0};
}

}  // namespace
}  // namespace ntxent

NtXentResult nt_xent(float* gradient, const float* embeddings, int64_t rows, int64_t dim,
                     const NtXentOptions& options) {
  ntxent::validate(embeddings, rows, dim, options);
  selected_isa();  // reports a wrong VSSL_ISA for the smallest sizes too
  if (rows == 2) return ntxent::nt_xent_of_one_pair(gradient, embeddings, dim);
  const double products = static_cast<double>(rows) * static_cast<double>(rows);
  const int team = useful_threads(options.threads, 4 * products * static_cast<double>(dim), kFlopsPerThread);
  const NtXentShare* const share = options.share;
  const ntxent::Shape shape =
      share ? ntxent::Shape(rows, dim, share->count, share->index) : ntxent::Shape(rows, dim);
  return ntxent::NtXent(gradient, embeddings, shape, options).run(team);
}

}  // namespace vssl
