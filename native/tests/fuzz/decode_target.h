// Any bytes as a video file: index it, then decode pictures from all over it.
#pragma once

#include "input.h"

namespace vssl::video::fuzz {

// Larger pictures take their time in the decoder without showing anything new.
constexpr int64_t kMostPixels = int64_t{1} << 20;

inline Value decode_clip(const std::string& path, const std::vector<double>& times, const char* modality,
                         int shrink) {
  Value::Object clip = plain_clip(file_source(path), times, 12, 10);
  clip["modality"] = Value(modality);
  clip["shrink"] = Value(shrink);
  clip["next"] = list(std::vector<double>(times.rbegin(), times.rend()));
  return Value(clip);
}

inline void check_index(const VideoIndex& index) {
  const auto count = static_cast<int32_t>(index.times.size());
  if (count == 0 || index.width < 1 || index.height < 1) broken("an index of nothing");
  for (int32_t i = 0; i < count; ++i) {
    if (!(index.times[i] - index.times[i] == 0)) broken("a time that is not finite");
    if (i > 0 && index.times[i] < index.times[i - 1]) broken("times that fall");
  }
  if (index.keys.empty() || index.keys.front() != 0) broken("no key at the start");
  for (size_t i = 0; i < index.keys.size(); ++i) {
    if (index.keys[i] < 0 || index.keys[i] >= count) broken("a key outside the times");
    if (i > 0 && index.keys[i] <= index.keys[i - 1]) broken("keys that do not rise");
  }
  if (!(index.end >= index.times.back())) broken("an end before the last picture");
}

// The bytes of a clip depend on its plan alone: the same pictures asked for the other way round, by a loader
// that knows nothing yet, are the same.
inline void check_same_backwards(const LoadResult& result, const std::string& path,
                                 const std::vector<double>& times) {
  const LoadResult other = load_once(
      batch_plan({{decode_clip(path, std::vector<double>(times.rbegin(), times.rend()), "rgb", 1)}}));
  const ViewBuffer& a = result.batch->views[0];
  const ViewBuffer& b = other.batch->views[0];
  const bool failed =
      !result.failures.empty() && result.failures[0].view == 0 && result.failures[0].sample == 0;
  if (failed != !other.failures.empty()) broken("a clip fails in one order and not in the other");
  const auto frame = static_cast<size_t>(a.shape[2] * a.shape[3] * 3);
  for (size_t i = 0; i < times.size(); ++i) {
    const float* back = b.floats() + (times.size() - 1 - i) * frame;
    if (std::memcmp(a.floats() + i * frame, back, frame * sizeof(float)) != 0)
      broken("other pictures in another order");
  }
}

inline void decode_target(const uint8_t* data, size_t size) {
  const MemoryFile file(data, size);
  VideoIndex index;
  if (!ends_or_refuses([&] { index = index_file(file.path()); })) return;
  check_index(index);
  if (static_cast<int64_t>(index.width) * index.height > kMostPixels) return;
  const double first = index.times.front(), last = index.times.back();
  const double middle = index.times[index.times.size() / 2];
  const std::vector<double> there = {first, middle, last}, back = {last + 1e6, middle, first - 1e6};
  LoaderOptions options;
  options.cache_bytes = size % 2 ? 1 << 16 : 0;
  Loader loader(options);
  // The second view finds the file's segments in another order, and its own shrink.
  const LoadResult result =
      load(loader,
           batch_plan({{decode_clip(file.path(), there, "rgb", 1), decode_clip(file.path(), back, "rgb", 3)},
                       {decode_clip(file.path(), back, "difference", 2),
                        decode_clip(file.path(), {middle, last, last}, "rgb", 1)}}));
  check_result(result);
  check_same_backwards(result, file.path(), there);
}

}  // namespace vssl::video::fuzz
