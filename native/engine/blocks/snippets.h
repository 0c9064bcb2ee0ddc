// The snippets of a batch in shuffled places, and the frame sets that they are cut into (TCGL).
#pragma once

#include <vector>

#include "../inputs.h"

namespace vssl::engine {

constexpr int64_t kMostPlaces = 6;  // 720 orders

// All orders of n things, in lexicographic order: entry c of the list is class c.
std::vector<std::vector<int64_t>> permutations(int64_t n);

struct SnippetOptions {
  int64_t sets;  // of frames, in each snippet
  // Temporal DCT coefficients that are set to 0, from the lowest, in each snippet and in each frame set by
  // itself. 1 removes the temporal mean; snippets then come without theirs (data.input). 0: nothing.
  int64_t drop_low;
  int64_t repeat;  // times that each frame of a set is shown
};

// Some rows of the snippets' views, N of them, by place p: orders[n][p] is the view that row rows[n] shows
// there. Views are clips (N, 3, T, H, W), channels-last: a sample is T rows of pixels in a line, as the
// kernels want it, and so is each of its frame sets.
class SnippetBatch {
 public:
  SnippetBatch(const std::vector<const Rows*>& views, const std::vector<std::vector<int64_t>>& orders,
               const std::vector<int64_t>& rows, const SnippetOptions& options, at::Device device = at::kCPU);

  // On the device, fp32. (P N, 3, T, H, W): place after place
  Tensor snippets() const;
  // (P S N, 3, repeat T / S, H, W): place after place, within it set after set, in the order of time
  Tensor frame_sets() const;

 private:
  // On the CPU: row p N + n of the snippets.
  const float* snippet(int64_t p, int64_t n) const;
  // `count` clips of so many frames without their lowest coefficients; clip i lies at source(i).
  template <typename Source>
  Tensor filtered(int64_t count, int64_t frames, int64_t drop_low, const Source& source) const;
  // On another device: the snippets (P N, T, H, W, 3), and clips (n, T, H, W, 3) without their lowest
  // coefficients, in their own memory.
  Tensor placed() const;
  Tensor filtered_there(const Tensor& clips, int64_t drop_low) const;

  const std::vector<const Rows*>& views_;
  const std::vector<std::vector<int64_t>>& orders_;
  const std::vector<int64_t>& rows_;  // ascending
  int64_t count_, frames_, height_, width_;
  SnippetOptions options_;
  at::Device device_;
};

}  // namespace vssl::engine
