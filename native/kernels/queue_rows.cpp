#include "queue_rows.h"

#include <algorithm>

#include "bf16.h"

namespace vssl::queue {
namespace {

constexpr int kLanes = 4;  // partial sums, so that additions need not wait for one another

double sum_of(const double* lanes) { return (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]); }

// A block of one row, normalised; zero beyond dim.
void scale_block(float* out, const float* x, int64_t first, int64_t dim, double factor) {
  const int64_t n = std::min(kBlock, dim - first);
  for (int64_t i = 0; i < n; ++i) out[i] = static_cast<float>(x[first + i] * factor);
  for (int64_t i = n; i < kBlock; ++i) out[i] = 0;
}

void add_dot(double* lanes, const float* a, const float* b) {
  for (int64_t i = 0; i < kBlock; i += kLanes) {
    for (int l = 0; l < kLanes; ++l) lanes[l] += static_cast<double>(a[i + l]) * b[i + l];
  }
}

void round_block(float* x) {
  for (int64_t i = 0; i < kBlock; ++i) x[i] = to_bf16(x[i]);
}

}  // namespace

double load_row(float* qt, const RowPair& row, int64_t dim) {
  double lanes[kLanes] = {};
  for (int64_t first = 0; first < dim; first += kBlock) {
    float z[kBlock], p[kBlock];
    scale_block(z, row.query, first, dim, row.query_factor);
    scale_block(p, row.positive, first, dim, row.positive_factor);
    add_dot(lanes, z, p);
    const int64_t n = std::min(kBlock, dim - first);
    for (int64_t i = 0; i < n; ++i) qt[(first + i) * kBlock] = z[i];
  }
  return sum_of(lanes);
}

double load_row_bf16(uint32_t* qt16, const RowPair& row, int64_t dim) {
  double lanes[kLanes] = {};
  for (int64_t first = 0; first < dim; first += kBlock) {
    float z[kBlock], p[kBlock];
    scale_block(z, row.query, first, dim, row.query_factor);
    scale_block(p, row.positive, first, dim, row.positive_factor);
    round_block(z);
    round_block(p);
    add_dot(lanes, z, p);
    const int64_t n = std::min(kWordsPerBlock, dim - first);
    uint32_t* out = qt16 + first / kBlock * kWordsPerBlock * kBlock;
    for (int64_t i = 0; i < n; ++i) out[i * kBlock] = pair_of(z[i], z[i + kWordsPerBlock]);
  }
  return sum_of(lanes);
}

void store_row(float* out, const float* g, const RowPair& row, int64_t dim, double pull, double inverse_sum,
               bool projects) {
  double of_g[kLanes] = {}, of_p[kLanes] = {};
  float z[kBlock], p[kBlock];
  for (int64_t first = 0; projects && first < dim; first += kBlock) {
    scale_block(z, row.query, first, dim, row.query_factor);
    scale_block(p, row.positive, first, dim, row.positive_factor);
    add_dot(of_g, z, g + first * kQueryPanel);
    add_dot(of_p, z, p);
  }
  const double along = sum_of(of_g) * inverse_sum - sum_of(of_p);
  const double factor = pull * row.query_factor;
  for (int64_t first = 0; first < dim; first += kBlock) {
    scale_block(z, row.query, first, dim, row.query_factor);
    scale_block(p, row.positive, first, dim, row.positive_factor);
    const float* sum = g + first * kQueryPanel;
    const int64_t n = std::min(kBlock, dim - first);
    for (int64_t i = 0; i < n; ++i) {
      out[first + i] = static_cast<float>((sum[i] * inverse_sum - p[i] - along * z[i]) * factor);
    }
  }
}

}  // namespace vssl::queue
