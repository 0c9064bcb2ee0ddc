// Exact top k by dot product on the device.
//
//   1 scan  a block takes 1024 rows and up to 8 queries: keys of their scores, sorted for each query, of
//   which
//           the k best are left
//   2 join  a block takes a query: what the blocks left, 1024 at a time, sorted and merged into the best so
//   far
//
// A row is one warp's, in pieces of 16 bytes; its lanes' sums are added up in a tree. So a score's bits
// follow from its query and row alone, wherever the rows lie.
#include <string>

#include "kernels_cuda.h"
#include "launch.h"
#include "layout.h"
#include "pieces.cuh"

namespace vssl::cuda {
namespace {

constexpr int kTopkThreads = 256;
constexpr int kTopkWarps = kTopkThreads / kWarp;
constexpr int kShare = 1024;  // rows of a block, keys that are sorted together
constexpr int kAtOnce = 8;    // queries of a block
constexpr int64_t kMostK = kShare;
constexpr int64_t kMostRows = int64_t{1} << 30;
constexpr int64_t kMostQueries = int64_t{65535} * kAtOnce;  // the grid's second side
constexpr int64_t kMostDims = 8192;

using Key = unsigned long long;  // as in topk_best.h: the better the larger

inline __device__ Key key_of(float score, int64_t row) {
  score += 0.0f;  // -0 is 0
  const uint32_t bits = __float_as_uint(score);
  const uint32_t rank = score != score ? 0 : bits >> 31 ? ~bits : bits | 0x80000000u;
  return static_cast<Key>(rank) << 32 | (0xffffffffu - static_cast<uint32_t>(row));
}

inline __device__ float score_of(Key key) {
  const auto rank = static_cast<uint32_t>(key >> 32);
  if (rank == 0) return quiet_nan();
  return __uint_as_float(rank >> 31 ? rank ^ 0x80000000u : ~rank);
}

struct TopkPlan {
  const float* queries;
  const void* values;
  const float* scales;
  int64_t count;
  int64_t query_count;
  int dim;
  int k;         // results of each query
  int shares;    // of rows
  bool aligned;  // every row begins on a 16-byte boundary
  Key* left;     // query_count x shares x k; 0 where a share has fewer rows
  int32_t* indices;
  float* scores;
};

/// How values lie: kPiece of them in 16 bytes, of which piece `at` of a row is widened, 0 behind its end.
template <RowType kType>
struct RowFormat;

template <Element kElement>
struct ElementRows {
  using Stored = typename Format<kElement>::Stored;
  static constexpr int kPiece = Format<kElement>::kPiece;

  static __device__ void piece(float (&values)[kPiece], const Stored* from, int count, bool aligned) {
    const bool whole = count >= kPiece;
    Format<kElement>::widen(
        values, whole && aligned ? load_piece<kElement, true>(from) : load_values<kElement>(from, count));
  }
};
template <>
struct RowFormat<RowType::kFp32> : ElementRows<Element::kFloat> {};
template <>
struct RowFormat<RowType::kFp16> : ElementRows<Element::kHalf> {};
template <>
struct RowFormat<RowType::kBf16> : ElementRows<Element::kBf16> {};
template <>
struct RowFormat<RowType::kInt8> {
  using Stored = int8_t;
  static constexpr int kPiece = 16;

  static __device__ void piece(float (&values)[kPiece], const Stored* from, int count, bool aligned) {
    if (count >= kPiece && aligned) {
      const uint4 four = *reinterpret_cast<const uint4*>(from);
      const uint32_t words[4] = {four.x, four.y, four.z, four.w};
#pragma unroll
      for (int i = 0; i < kPiece; ++i)
        values[i] = static_cast<float>(static_cast<int8_t>(words[i / 4] >> (i % 4 * 8)));
      return;
    }
#pragma unroll
    for (int i = 0; i < kPiece; ++i) values[i] = i < count ? static_cast<float>(from[i]) : 0.0f;
  }
};

/// Sorts keys[0..kShare), the largest first, by Batcher's bitonic network; only its last stage when it
/// `merges`: keys that fall and then rise, or the other way round.
inline __device__ void sort_keys(Key* keys, bool merges) {
  for (int size = merges ? kShare : 2; size <= kShare; size *= 2) {
    for (int apart = size / 2; apart > 0; apart /= 2) {
      __syncthreads();
      for (int pair = static_cast<int>(threadIdx.x); pair < kShare / 2; pair += kTopkThreads) {
        const int low = pair / apart * 2 * apart + pair % apart, high = low + apart;
        const bool falls = (low & size) == 0;
        const Key a = keys[low], b = keys[high];
        if ((a < b) == falls) {
          keys[low] = b;
          keys[high] = a;
        }
      }
    }
  }
  __syncthreads();
}

/// The scores of one row against `count` queries, kAtOnce at most, in every lane.
template <RowType kType>
inline __device__ void score_row(float (&scores)[kAtOnce], const TopkPlan& plan, int64_t row,
                                 const float* queries, int count) {
  using F = RowFormat<kType>;
  const auto* const values = static_cast<const typename F::Stored*>(plan.values) + row * plan.dim;
#pragma unroll
  for (int q = 0; q < kAtOnce; ++q) scores[q] = 0;
  for (int at = static_cast<int>(threadIdx.x) % kWarp * F::kPiece; at < plan.dim; at += kWarp * F::kPiece) {
    const int here = plan.dim - at;
    float piece[F::kPiece];
    F::piece(piece, values + at, here, plan.aligned);
#pragma unroll
    for (int q = 0; q < kAtOnce; ++q) {
      if (q >= count) break;
#pragma unroll
      for (int i = 0; i < F::kPiece; ++i) {
        if (i < here) scores[q] = fmaf(piece[i], __ldg(queries + q * plan.dim + at + i), scores[q]);
      }
    }
  }
#pragma unroll
  for (int q = 0; q < kAtOnce; ++q) {
    if (q < count) scores[q] = lane_sum(scores[q]);
  }
}

template <RowType kType>
__global__ void __launch_bounds__(kTopkThreads) scan_rows(const __grid_constant__ TopkPlan plan) {
  Key* const keys = reinterpret_cast<Key*>(shared_memory());  // kAtOnce x kShare
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  const int64_t share = blockIdx.x, first = share * kShare;
  const int64_t query = static_cast<int64_t>(blockIdx.y) * kAtOnce;
  const int64_t rest = plan.query_count - query;
  const int count = static_cast<int>(rest < kAtOnce ? rest : kAtOnce);
  const float* const queries = plan.queries + query * plan.dim;
  for (int r = warp; r < kShare; r += kTopkWarps) {
    const int64_t row = first + r;
    float scores[kAtOnce];
    if (row < plan.count) score_row<kType>(scores, plan, row, queries, count);
    const float scale = row < plan.count && plan.scales != nullptr ? plan.scales[row] : 1.0f;
#pragma unroll
    for (int q = 0; q < kAtOnce; ++q) {
      if (lane == 0 && q < count)
        keys[q * kShare + r] = row < plan.count ? key_of(scores[q] * scale, row) : 0;
    }
  }
  for (int q = 0; q < count; ++q) {
    sort_keys(keys + q * kShare, false);
    Key* const to = plan.left + ((query + q) * plan.shares + share) * plan.k;
    for (int i = static_cast<int>(threadIdx.x); i < plan.k; i += kTopkThreads) to[i] = keys[q * kShare + i];
  }
}

__global__ void __launch_bounds__(kTopkThreads) join_shares(const __grid_constant__ TopkPlan plan) {
  Key* const best = reinterpret_cast<Key*>(shared_memory());  // kShare, and as many that come
  Key* const more = best + kShare;
  const int64_t query = blockIdx.x, count = static_cast<int64_t>(plan.shares) * plan.k;
  const Key* const left = plan.left + query * count;
  for (int64_t first = 0; first < count; first += kShare) {
    __syncthreads();
    for (int i = static_cast<int>(threadIdx.x); i < kShare; i += kTopkThreads)
      (first == 0 ? best : more)[i] = first + i < count ? left[first + i] : 0;
    sort_keys(first == 0 ? best : more, false);
    if (first == 0) continue;
    // Of a falling and a rising list side by side, the larger of each pair are the best of both.
    for (int i = static_cast<int>(threadIdx.x); i < kShare; i += kTopkThreads) {
      const Key other = more[kShare - 1 - i];
      if (best[i] < other) best[i] = other;
    }
    sort_keys(best, true);
  }
  for (int i = static_cast<int>(threadIdx.x); i < plan.k; i += kTopkThreads) {
    plan.indices[query * plan.k + i] = static_cast<int32_t>(0xffffffffu - static_cast<uint32_t>(best[i]));
    plan.scores[query * plan.k + i] = score_of(best[i]);
  }
}

int size_of(RowType type) { return type == RowType::kFp32 ? 4 : type == RowType::kInt8 ? 1 : 2; }

void expect_between(int64_t value, int64_t least, int64_t most, const char* name) {
  if (value >= least && value <= most) return;
  throw Error(kInvalidArgument, "expected " + std::to_string(least) + " to " + std::to_string(most) +
                                    " for " + name + " but received " + std::to_string(value));
}

void validate(int64_t query_count, const DotRows& rows, int64_t k) {
  expect_between(query_count, 0, kMostQueries, "the number of queries");
  expect_between(rows.count, 0, kMostRows, "the number of rows");
  expect_between(rows.dim, 1, kMostDims, "dim");
  expect_between(k, 1, kMostK, "k");
  expect_between(static_cast<int64_t>(rows.type), 0, 3, "type");
}

std::size_t lay_out(TopkPlan& plan, int64_t query_count, const DotRows& rows, int64_t k, void* memory) {
  plan.values = rows.values;
  plan.scales = rows.scales;
  plan.count = rows.count;
  plan.query_count = query_count;
  plan.dim = static_cast<int>(rows.dim);
  plan.k = static_cast<int>(k < rows.count ? k : rows.count);
  plan.shares = static_cast<int>(ceil_div(rows.count, kShare));
  plan.aligned = (reinterpret_cast<std::uintptr_t>(rows.values) |
                  static_cast<std::uintptr_t>(rows.dim * size_of(rows.type))) %
                     16 ==
                 0;
  Carver carver(memory);
  carver.take(plan.left, query_count * plan.shares * plan.k);
  return carver.bytes();
}

void scan(const TopkPlan& plan, RowType type, cudaStream_t stream) {
  LaunchShape shape = {};
  shape.grid =
      dim3(static_cast<unsigned>(plan.shares), static_cast<unsigned>(ceil_div(plan.query_count, kAtOnce)));
  shape.threads = kTopkThreads;
  shape.shared_bytes = kAtOnce * kShare * sizeof(Key);
  const auto kernel = type == RowType::kFp32   ? scan_rows<RowType::kFp32>
                      : type == RowType::kFp16 ? scan_rows<RowType::kFp16>
                      : type == RowType::kBf16 ? scan_rows<RowType::kBf16>
                                               : scan_rows<RowType::kInt8>;
  launch("scanning rows", kernel, shape, stream, plan);
}

}  // namespace

std::size_t topk_dot_workspace(int64_t query_count, const DotRows& rows, int64_t k) {
  validate(query_count, rows, k);
  TopkPlan plan = {};
  return lay_out(plan, query_count, rows, k, nullptr);
}

void topk_dot(int32_t* indices, float* scores, const float* queries, int64_t query_count, const DotRows& rows,
              int64_t k, void* workspace, std::size_t workspace_bytes, cudaStream_t stream) {
  validate(query_count, rows, k);
  if (query_count == 0 || rows.count == 0) return;
  require_pointers({indices, scores, queries, rows.values});
  TopkPlan plan = {};
  require_workspace(workspace, workspace_bytes, lay_out(plan, query_count, rows, k, workspace));
  plan.queries = queries;
  plan.indices = indices;
  plan.scores = scores;
  scan(plan, rows.type, stream);
  LaunchShape shape = {};
  shape.grid = dim3(static_cast<unsigned>(query_count));
  shape.threads = kTopkThreads;
  shape.shared_bytes = 2 * kShare * sizeof(Key);
  launch("joining the best", join_shares, shape, stream, plan);
}

}  // namespace vssl::cuda
