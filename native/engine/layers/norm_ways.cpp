#include "norm_ways.h"

#include <algorithm>

namespace vssl::engine {

namespace {

// Rows [means, squares, rows] as one, in their order (Chan, Golub & LeVeque 1983).
Tensor merged_moments(const Tensor& all) {
  const int64_t width = all.size(1), channels = (width - 1) / 2;
  const Tensor merged = at::zeros({1, width}, at::kDouble);
  double* const mean = merged.mutable_data_ptr<double>();
  double *const squares = mean + channels, &sum = mean[2 * channels];
  for (int64_t r = 0; r < all.size(0); ++r) {
    const double* const part = all.const_data_ptr<double>() + r * width;
    const double rows = part[2 * channels], total = sum + rows;
    for (int64_t c = 0; c < channels; ++c) {
      const double apart = part[c] - mean[c];
      mean[c] += apart * rows / total;
      squares[c] += part[channels + c] + apart * apart * sum * rows / total;
    }
    sum = total;
  }
  return merged;
}

}  // namespace

Moments joined(const Moments& own, Sharers& ranks) {
  const auto channels = static_cast<int64_t>(own.mean.size());
  const Tensor mine = at::empty({1, 2 * channels + 1}, at::kDouble);
  double* out = mine.mutable_data_ptr<double>();
  std::copy(own.squares.begin(), own.squares.end(), std::copy(own.mean.begin(), own.mean.end(), out));
  out[2 * channels] = own.rows;
  const Tensor all = ranks.all_merge(mine, merged_moments);
  const double* const of_all = all.const_data_ptr<double>();
  return {of_all[2 * channels], {of_all, of_all + channels}, {of_all + channels, of_all + 2 * channels}};
}

double summed(const Tensor& sums, double rows, Sharers& ranks) {
  Tensor all = at::cat({sums, at::full({1}, rows, sums.options())});
  ranks.all_reduce(all);
  sums.copy_(all.slice(0, 0, sums.numel()));
  return all.const_data_ptr<double>()[sums.numel()];
}

}  // namespace vssl::engine
