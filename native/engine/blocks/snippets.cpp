#include "snippets.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "../device/devices.h"
#include "../errors.h"
#include "../runtime.h"

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
                           const std::vector<std::vector<int64_t>>& orders, const std::vector<int64_t>& rows,
                           const SnippetOptions& options, at::Device device)
    : views_(views),
      orders_(orders),
      rows_(rows),
      count_(static_cast<int64_t>(orders.size())),
      options_(options),
      device_(device) {
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
  return views_[orders_[n][p]]->data.const_data_ptr<float>() + rows_[n] * values;
}

template <typename Source>
Tensor SnippetBatch::filtered(int64_t count, int64_t frames, int64_t drop_low, const Source& source) const {
  const int64_t pixels = height_ * width_ * 3, values = frames * pixels;
  const Tensor clips = at::empty({count, frames, height_, width_, 3}, at::TensorOptions().dtype(at::kFloat));
  float* out = clips.mutable_data_ptr<float>();
  DctMotionOptions motion;
  motion.drop_low = drop_low;
  motion.threads = 1;  // clips are shared out, not pixels
  at::parallel_for(0, count, 1, [&](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i) {
      if (drop_low == 0)
        std::memcpy(out + i * values, source(i), values * sizeof(float));
      else
        dct_motion(out + i * values, source(i), frames, pixels, motion);
    }
  });
  return clips.permute({0, 4, 1, 2, 3});
}

Tensor SnippetBatch::placed() const {
  std::vector<Tensor> all;
  // What lies between the first and the last row is all that is fetched.
  const int64_t first = rows_.front(), span = rows_.back() + 1 - first;
  for (const Rows* view : views_)
    all.push_back(floats_of(*view, first, first + span).to(device_).permute({0, 2, 3, 4, 1}));
  std::vector<int64_t> order;
  for (size_t p = 0; p < views_.size(); ++p)
    for (int64_t n = 0; n < count_; ++n) order.push_back(orders_[n][p] * span + rows_[n] - first);
  return at::cat(all).index_select(0, at::tensor(order, at::kLong).to(device_));
}

Tensor SnippetBatch::filtered_there(const Tensor& clips, int64_t drop_low) const {
  const DeviceKernels* const kernels = kernels_of(device_);
  DctMotionOptions motion;
  motion.drop_low = drop_low;
  const int64_t frames = clips.size(1), pixels = height_ * width_ * 3;
  float* data = drop_low > 0 ? clips.mutable_data_ptr<float>() : nullptr;
  for (int64_t i = 0; drop_low > 0 && i < clips.size(0); ++i, data += frames * pixels)
    kernels->dct_motion(data, data, frames, pixels, motion, kernels->stream(device_));
  return clips.permute({0, 4, 1, 2, 3});
}

Tensor SnippetBatch::snippets() const {
  const int64_t places = static_cast<int64_t>(views_.size());
  // The first coefficient is gone already.
  const int64_t drop_low = options_.drop_low > 1 ? options_.drop_low : 0;
  if (kernels_of(device_)) return filtered_there(placed(), drop_low);
  return filtered(places * count_, frames_, drop_low,
                  [&](int64_t i) { return snippet(i / count_, i % count_); });
}

Tensor SnippetBatch::frame_sets() const {
  const int64_t places = static_cast<int64_t>(views_.size()), sets = options_.sets;
  const int64_t frames = frames_ / sets, values = frames * height_ * width_ * 3;
  Tensor clips;
  if (kernels_of(device_)) {
    const Tensor apart = placed().view({places, count_, sets, frames, height_, width_, 3}).transpose(1, 2);
    clips = filtered_there(apart.reshape({places * sets * count_, frames, height_, width_, 3}),
                           options_.drop_low);
  } else {
    clips = filtered(places * sets * count_, frames, options_.drop_low, [&](int64_t i) {
      const int64_t n = i % count_, set = i / count_ % sets, place = i / count_ / sets;
      return snippet(place, n) + set * values;
    });
  }
  return options_.repeat == 1 ? clips : clips.repeat_interleave(options_.repeat, 2);
}

}  // namespace vssl::engine
