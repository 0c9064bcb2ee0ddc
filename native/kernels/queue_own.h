// Queued keys that are of the same number as a query: its own video's old keys, which are left out of its
// sum. They are few, so the loops of queue_tiles.h go over all keys, and the columns of a tile in which some
// are left out are done again here, one by one.
#pragma once

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "queue.h"
#include "queue_panel.h"

namespace vssl::queue {

/// Key `key` of a panel and a query.
struct OwnKey {
  int64_t row;
  int64_t key;
};

class OwnKeys {
 public:
  /// `ids`: one a query, below 0 for none; null: nothing is left out, and nothing is looked at.
  OwnKeys(const QueueSnapshot& queue, const int64_t* ids, int64_t rows) {
    if (ids == nullptr || !queue.options.ids) return;
    std::vector<std::pair<int64_t, int64_t>> queries;  // number, row
    for (int64_t row = 0; row < rows; ++row)
      if (ids[row] >= 0) queries.emplace_back(ids[row], row);
    std::sort(queries.begin(), queries.end());
    const int64_t panels = (queue.length + kKeyPanel - 1) / kKeyPanel;
    first_.assign(panels + 1, 0);
    for (int64_t panel = 0; panel < panels; ++panel) {
      const int64_t* numbers = queue.panels[panel]->ids.get();
      const auto begin = static_cast<std::ptrdiff_t>(found_.size());
      for (int64_t key = 0; key < std::min(kKeyPanel, queue.length - panel * kKeyPanel); ++key) {
        if (numbers[key] < 0) continue;
        auto at = std::lower_bound(queries.begin(), queries.end(), std::make_pair(numbers[key], int64_t{0}));
        for (; at != queries.end() && at->first == numbers[key]; ++at) found_.push_back({at->second, key});
      }
      std::sort(found_.begin() + begin, found_.end(), [](const OwnKey& a, const OwnKey& b) {
        return a.row != b.row ? a.row < b.row : a.key < b.key;
      });
      first_[panel + 1] = static_cast<int64_t>(found_.size());
    }
  }

  /// Of a panel and the queries [begin, begin + count), by query, then by key.
  struct Range {
    const OwnKey *first, *last;
    const OwnKey* begin() const { return first; }
    const OwnKey* end() const { return last; }
    bool empty() const { return first == last; }
  };
  Range of(int64_t panel, int64_t begin, int64_t count) const {
    if (found_.empty()) return {nullptr, nullptr};
    const auto before = [](const OwnKey& own, int64_t row) { return own.row < row; };
    const OwnKey* const all = found_.data();
    const OwnKey *from = all + first_[panel], *to = all + first_[panel + 1];
    return {std::lower_bound(from, to, begin, before), std::lower_bound(from, to, begin + count, before)};
  }

 private:
  std::vector<OwnKey> found_;
  std::vector<int64_t> first_;  // of each panel, in found_
};

/// The columns of a tile in which keys are left out, as they were before they are weighed.
class OwnColumns {
 public:
  /// `own`: of the queries from `begin` on, whose scores are `tile`; sums and tops are theirs.
  OwnColumns(const OwnKeys::Range& own, int64_t begin, const float* tile, const float* sums,
             const float* tops, int64_t nk)
      : nk_(nk) {
    for (const OwnKey* at = own.begin(); at != own.end();) {
      Column column{at->row - begin, sums[at->row - begin], tops[at->row - begin], {}, {}};
      for (int64_t key = 0; key < nk; ++key) column.scores[key] = tile[key * kTileLd + column.place];
      for (const int64_t row = at->row; at != own.end() && at->row == row; ++at) column.out[at->key] = true;
      columns_.push_back(column);
    }
  }

  /// weigh_fixed() of these columns, without what is left out.
  void weigh_fixed(float* tile, float* sums, const KeyTerms& terms) const {
    for (const Column& column : columns_) {
      float sum = column.sum;
      for (int64_t key = 0; key < nk_; ++key) {
        const float e = column.out[key] ? 0.0f : std::exp2(column.exponent(terms, key));
        sum += e;
        tile[key * kTileLd + column.place] = e * terms.pull[key];
      }
      sums[column.place] = sum;
    }
  }

  /// weigh_running() of these columns.
  bool weigh_running(float* tile, float* sums, float* tops, float* factors, const KeyTerms& terms) const {
    bool moved = false;
    for (const Column& column : columns_) {
      float top = column.top;
      for (int64_t key = 0; key < nk_; ++key)
        if (!column.out[key]) top = std::max(top, column.exponent(terms, key));
      const float factor = std::exp2(column.top - top);
      float sum = column.sum * factor;
      for (int64_t key = 0; key < nk_; ++key) {
        const float e = column.out[key] ? 0.0f : std::exp2(column.exponent(terms, key) - top);
        sum += e;
        tile[key * kTileLd + column.place] = e * terms.pull[key];
      }
      sums[column.place] = sum;
      tops[column.place] = top;
      factors[column.place] = factor;
      moved = moved || factor != 1.0f;
    }
    return moved;
  }

 private:
  struct Column {
    int64_t place;
    float sum, top;
    float scores[kKeyPanel];
    bool out[kKeyPanel];
    float exponent(const KeyTerms& terms, int64_t key) const {
      return scores[key] * terms.slope[key] + terms.offset[key];
    }
  };
  const int64_t nk_;
  std::vector<Column> columns_;
};

}  // namespace vssl::queue
