#include "snippets.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "../../kernels/kernels.h"
#include "../errors.h"

namespace vssl::engine {

std::vector<std::vector<int64_t>> permutations(int64_t n) {
  std::vector<int64_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  std::vector<std::vector<int64_t>> all;
  do {
    all.push_back(order);
  } while (std::next_permutation(order.begin(), order.end()));
  return all;
}

SnippetBatch::SnippetBatch(const std::vector<const Rows*>& views,
                           const std::vector<std::vector<int64_t>>& orders, int64_t begin,
                           const SnippetOptions& options)
    : views_(views),
      orders_(orders),
      begin_(begin),
      count_(static_cast<int64_t>(orders.size())),
      options_(options) {
  const Tensor& first = views[0]->data;
  for (const Rows* view : views) check_same_shape(*views[0], *view);
  frames_ = first.size(2);
  height_ = first.size(3);
  width_ = first.size(4);
  if (frames_ % options.sets != 0)
    throw_invalid("a snippet of " + std::to_string(frames_) + " frames cannot be cut into " +
                  std::to_string(options.sets) + " frame sets of the same length");
  if (options.drop_low >= frames_ / options.sets)
    throw_invalid("a frame set of " + std::to_string(frames_ / options.sets) +
                  " frames has as many temporal coefficients: dropping " + std::to_string(options.drop_low) +
                  " leaves nothing of it; take fewer sets or a smaller dropLow");
}

const float* SnippetBatch::snippet(int64_t p, int64_t n) const {
  const int64_t values = frames_ * height_ * width_ * 3;
  return views_[orders_[n][p]]->data.const_data_ptr<float>() + (begin_ + n) * values;
}

void SnippetBatch::filter(float* out, const float* in, int64_t frames, int64_t drop_low) const {
  const int64_t pixels = height_ * width_ * 3;
  if (drop_low == 0) {
    std::memcpy(out, in, frames * pixels * sizeof(float));
    return;
  }
  DctMotionOptions motion;
  motion.drop_low = drop_low;
  motion.threads = 1;  // clips are shared out, not pixels
  dct_motion(out, in, frames, pixels, motion);
}

namespace {

// (N, 3, T, H, W) over memory of its own, channels-last.
Tensor empty_clips(int64_t n, int64_t frames, int64_t height, int64_t width) {
  return at::empty({n, frames, height, width, 3}, at::TensorOptions().dtype(at::kFloat))
      .permute({0, 4, 1, 2, 3});
}

}  // namespace

Tensor SnippetBatch::snippets() const {
  const int64_t places = static_cast<int64_t>(views_.size()), values = frames_ * height_ * width_ * 3;
  const Tensor clips = empty_clips(places * count_, frames_, height_, width_);
  float* out = clips.mutable_data_ptr<float>();
  // The first coefficient is gone already.
  const int64_t drop_low = options_.drop_low > 1 ? options_.drop_low : 0;
  at::parallel_for(0, places * count_, 1, [&](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i)
      filter(out + i * values, snippet(i / count_, i % count_), frames_, drop_low);
  });
  return clips;
}

Tensor SnippetBatch::frame_sets() const {
  const int64_t places = static_cast<int64_t>(views_.size()), sets = options_.sets;
  const int64_t frames = frames_ / sets, values = frames * height_ * width_ * 3;
  const Tensor clips = empty_clips(places * sets * count_, frames, height_, width_);
  float* out = clips.mutable_data_ptr<float>();
  at::parallel_for(0, places * sets * count_, 1, [&](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i) {
      const int64_t n = i % count_, set = i / count_ % sets, place = i / count_ / sets;
      filter(out + i * values, snippet(place, n) + set * values, frames, options_.drop_low);
    }
  });
  return options_.repeat == 1 ? clips : clips.repeat_interleave(options_.repeat, 2);
}

}  // namespace vssl::engine
