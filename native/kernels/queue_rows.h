// Single rows of the queue's loss: queries and positives on their way in, gradients on their way out.
#pragma once

#include <cstdint>

#include "queue_tiles.h"

namespace vssl::queue {

/// A query and its positive, and what they are multiplied with to be normalised (1 when they are not).
struct RowPair {
  const float* query;
  const float* positive;
  double query_factor;
  double positive_factor;
};

/// Writes the query, normalised, to its column of qt (or qt16, rounded); returns its similarity to the
/// positive, of rounded rows as the negatives are, or loss and gradient would disagree.
double load_row(float* qt, const RowPair& row, int64_t dim);
double load_row_bf16(uint32_t* qt16, const RowPair& row, int64_t dim);

/// out = pull (g inverse_sum - p), less its part along z when `projects`, times the query's factor; g is a
/// row of a panel, z and p the normalised rows. `out` may be the query itself.
void store_row(float* out, const float* g, const RowPair& row, int64_t dim, double pull, double inverse_sum,
               bool projects);

}  // namespace vssl::queue
