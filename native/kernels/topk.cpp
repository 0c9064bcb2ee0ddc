// Exact top k by dot product: the schedule. Definition in kernels.h, inner loops in topk_loops.inl.
//
//   for each batch of queries
//     1 scan    tickets of neighbouring rows; each thread keeps the best of what it has seen, for each query
//     2 finish  per query: what the threads have kept, joined, sorted and written
//
// A batch has as many queries as L2 holds, so many rows come from memory as often as there are batches. One
// query alone is compared with rows as they lie, as fast as memory gives them; several with rows that are
// packed, and widened, a block at a time.
#include <algorithm>
#include <atomic>
#include <functional>
#include <string>

#include "../common/ending.h"
#include "arguments.h"
#include "isa.h"
#include "kernels.h"
#include "parallel.h"
#include "topk_best.h"
#include "topk_loops.h"
#include "workspace.h"

namespace vssl {
namespace topk {

void Best::take_from(const Best& other) {
  for (int64_t i = 0; i < other.size_; ++i) add(other.keys_[i]);
}

const Key* Best::finish() {
  if (size_ > k_) keep_best();
  std::sort(keys_, keys_ + size_, std::greater<Key>());
  return keys_;
}

void Best::keep_best() {
  std::nth_element(keys_, keys_ + k_ - 1, keys_ + size_, std::greater<Key>());
  size_ = k_;
  floor_ = score_of(keys_[k_ - 1]);
}

namespace {

constexpr int64_t kQueryFloats = 1 << 16;                 // of a batch of queries: in L2, beside rows
constexpr int64_t kKeysInAll = (64 << 20) / sizeof(Key);  // that batches of several queries may take
constexpr int64_t kTicketBytes = 512 << 10;               // of rows, at most
constexpr int64_t kTicketRows = 16;                       // at least, and whole times: the widest vector
constexpr int64_t kTicketsPerThread = 8;                  // where rows are few
constexpr double kBytesPerThread = 256 << 10;             // less is not worth waking a thread for

int64_t size_of(RowType type) { return type == RowType::kFp32 ? 4 : type == RowType::kInt8 ? 1 : 2; }

class Search {
 public:
  Search(int32_t* indices, float* scores, const float* queries, int64_t query_count, const DotRows& rows,
         int64_t k, int threads)
      : indices_(indices),
        scores_(scores),
        queries_(queries),
        query_count_(query_count),
        rows_(rows),
        k_(std::min(k, rows.count)),
        threads_(team_for(threads)),
        capacity_(Best::capacity(k_, rows.count)),
        batch_(batch_size()),
        ticket_rows_(rows_per_ticket()),
        loops_(table_of(selected_isa())),
        workspace_(bytes()),
        best_(workspace_.take<Best>(threads_ * batch_)),
        keys_(workspace_.take<Key>(threads_ * batch_ * capacity_)),
        packed_queries_(workspace_.take<float>(packed_query_floats(batch_, rows.dim))),
        packed_rows_(workspace_.take<float>(threads_ * packed_row_floats(rows.dim))) {}

  // Ends early, and throws, when nobody waits for the result any more: it then may read memory whose owner
  // waits.
  void run() {
    for (int64_t first = 0; first < query_count_; first += batch_) {
      const int64_t count = std::min(batch_, query_count_ - first);
      prepare(first, count);
      std::atomic<int64_t> joined{0};
      run_team(threads_, [&] {
        const int64_t member = joined.fetch_add(1, std::memory_order_relaxed);
        scan_.run([&](int64_t ticket) { scan(member, ticket, count); });
        finish_.run([&](int64_t query) { finish(query, first + query); });
      });
      ending::check();
    }
  }

 private:
  bool is_dropped() const { return dropped_ != nullptr && *dropped_; }

  int team_for(int threads) const {
    const double size = static_cast<double>(rows_.count) * static_cast<double>(rows_.dim);
    const double work = std::max(2 * size * static_cast<double>(query_count_) / kFlopsPerThread,
                                 size * static_cast<double>(size_of(rows_.type)) / kBytesPerThread);
    return useful_threads(threads, work, 1);
  }

  // One, or a multiple of a tile's.
  int64_t batch_size() const {
    if (query_count_ <= 1) return 1;
    const int64_t near = kQueryFloats / padded(rows_.dim), held = kKeysInAll / (threads_ * capacity_);
    const int64_t most = std::min({query_count_ + kTileQueries - 1, kMostQueries, near, held});
    return std::max(most / kTileQueries * kTileQueries, kTileQueries);
  }

  // No bit depends on it.
  int64_t rows_per_ticket() const {
    const int64_t most = kTicketBytes / (rows_.dim * size_of(rows_.type));
    const int64_t fair = rows_.count / (threads_ * kTicketsPerThread);
    return std::max(std::min(most, fair) / kTicketRows * kTicketRows, kTicketRows);
  }

  std::size_t bytes() const {
    const int64_t floats = static_cast<int64_t>(sizeof(float)), bests = threads_ * batch_;
    return Workspace::padded(bests * static_cast<int64_t>(sizeof(Best))) +
           Workspace::padded(bests * capacity_ * static_cast<int64_t>(sizeof(Key))) +
           Workspace::padded(packed_query_floats(batch_, rows_.dim) * floats) +
           Workspace::padded(threads_ * packed_row_floats(rows_.dim) * floats);
  }

  void prepare(int64_t first, int64_t count) {
    loops_.pack(packed_queries_, queries_ + first * rows_.dim, count, rows_.dim);
    for (int64_t i = 0; i < threads_ * batch_; ++i) best_[i].reset(keys_ + i * capacity_, k_, capacity_);
    scan_.reset((rows_.count + ticket_rows_ - 1) / ticket_rows_);
    finish_.reset(count);
  }

  // A thread's tickets come in rising order, as Best wants its rows.
  void scan(int64_t member, int64_t ticket, int64_t count) {
    if (is_dropped()) return;
    const int64_t begin = ticket * ticket_rows_, end = std::min(rows_.count, begin + ticket_rows_);
    const RowLoops& loops = loops_.of_type[static_cast<int>(rows_.type)];
    Best* const best = best_ + member * batch_;
    if (count == 1) {
      loops.scan_one(*best, packed_queries_, rows_, begin, end);
    } else {
      loops.scan_many(best, {packed_queries_, count}, rows_, begin, end,
                      packed_rows_ + member * packed_row_floats(rows_.dim));
    }
  }

  void finish(int64_t query, int64_t place) {
    if (is_dropped()) return;
    Best& best = best_[query];
    for (int64_t member = 1; member < threads_; ++member) best.take_from(best_[member * batch_ + query]);
    const Key* const keys = best.finish();
    for (int64_t i = 0; i < k_; ++i) {
      indices_[place * k_ + i] = row_of(keys[i]);
      scores_[place * k_ + i] = score_of(keys[i]);
    }
  }

  int32_t* const indices_;
  float* const scores_;
  const float* const queries_;
  const int64_t query_count_;
  const DotRows rows_;
  const int64_t k_;
  const int64_t threads_;
  const int64_t capacity_, batch_, ticket_rows_;
  const TopkLoops& loops_;
  Workspace workspace_;
  Best* const best_;
  Key* const keys_;
  float* const packed_queries_;
  float* const packed_rows_;  // of each thread
  Phase scan_, finish_;
  const std::atomic<bool>* const dropped_ = ending::dropped;  // of the thread that called
};

void validate(const int32_t* indices, const float* scores, const float* queries, int64_t query_count,
              const DotRows& rows, int64_t k, int threads) {
  expect_range(rows.dim, 1, most_beside(std::numeric_limits<int32_t>::max()), "dim");
  expect_range(rows.count, 0, std::numeric_limits<int32_t>::max(), "the number of rows");
  expect_range(query_count, 0, most_beside(std::max(rows.dim, rows.count)), "the number of queries");
  expect_range(k, 1, std::numeric_limits<int64_t>::max(), "k");
  expect_range(static_cast<int64_t>(rows.type), 0, 3, "type");
  expect_threads(threads);
  if (query_count == 0 || rows.count == 0) return;
  expect_memory(indices, queries);
  expect_memory(scores, rows.values);
}

}  // namespace
}  // namespace topk

void topk_dot(int32_t* indices, float* scores, const float* queries, int64_t query_count, const DotRows& rows,
              int64_t k, int threads) {
  topk::validate(indices, scores, queries, query_count, rows, k, threads);
  if (query_count == 0 || rows.count == 0) return;
  topk::Search(indices, scores, queries, query_count, rows, k, threads).run();
}

}  // namespace vssl
