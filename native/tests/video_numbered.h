// Reading the number that a picture shows: cut into 4 columns and 3 rows, block (row y, column x) is bright
// when bit 4 y + x of the number is set.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "video_testing.h"

namespace vssl::video {

constexpr int kColumns = 4, kRows = 3, kBlock = 4;  // pixels a block of the clips that are read

// Uint8 RGB (frames, h, w, 3) of pictures that show the numbers.
inline std::vector<uint8_t> binary_frames(const std::vector<int>& numbers, int h, int w) {
  std::vector<uint8_t> rgb;
  for (const int n : numbers) {
    for (int y = 0; y < h; ++y) {
      for (int x = 0; x < w; ++x) {
        const int bit = kColumns * (y * kRows / h) + x * kColumns / w;
        rgb.insert(rgb.end(), 3, static_cast<uint8_t>((n >> bit) & 1 ? 228 : 28));
      }
    }
  }
  return rgb;
}

// The number a frame of (12, 16, 3) floats shows; -1 where a block is neither bright nor dark.
inline int read_binary(const float* frame) {
  int n = 0;
  for (int y = 0; y < kRows; ++y) {
    for (int x = 0; x < kColumns; ++x) {
      double sum = 0;
      for (int i = 1; i < 3; ++i) {
        for (int j = 1; j < 3; ++j)
          sum += frame[((y * kBlock + i) * kColumns * kBlock + x * kBlock + j) * 3 + 1];
      }
      const double mean = sum / 4;
      if (std::fabs(mean - 228 / 255.0) < 0.2)
        n |= 1 << (kColumns * y + x);
      else if (std::fabs(mean - 28 / 255.0) >= 0.2)
        return -1;
    }
  }
  return n;
}

// The picture on show in the middle of each picture's time, one clip a picture, taken in this order.
inline std::vector<float> load_in_order(const std::string& path, const VideoIndex& index,
                                        const std::vector<size_t>& order, int threads, int64_t cache,
                                        std::vector<ClipFailure>* failures) {
  std::vector<Value> clips;
  for (const size_t i : order) {
    const double end = i + 1 < index.times.size() ? index.times[i + 1] : index.end;
    clips.emplace_back(
        plain_clip(file_source(path), {(index.times[i] + end) / 2}, kRows * kBlock, kColumns * kBlock));
  }
  const LoadResult r = load_once(batch_plan({clips}), threads, cache);
  *failures = r.failures;
  const std::vector<float> out = floats(*r.batch);
  const size_t size = out.size() / order.size();
  std::vector<float> sorted(out.size());
  for (size_t k = 0; k < order.size(); ++k)
    std::copy_n(out.begin() + static_cast<std::ptrdiff_t>(k * size), size,
                sorted.begin() + static_cast<std::ptrdiff_t>(order[k] * size));
  return sorted;
}

// Every picture of the file, in order and in random order, on one thread and on four, with and without a
// cache: the numbers, and the same bytes. A picture of equal time with its successor is never on show.
// begins, ends: first and last time in seconds, -1 when they do not matter.
inline void check_every_picture(const std::string& path, const std::vector<int>& numbers, double begins = -1,
                                double ends = -1) {
  const std::string name = path.substr(path.find_last_of('/') + 1);
  VideoIndex index;
  try {
    index = index_file(path);
  } catch (const Error& e) {
    check(false, name + ": " + e.code + " " + e.what());
    return;
  }
  check(index.times.size() == numbers.size(),
        name + " has " + std::to_string(index.times.size()) + " pictures");
  check(begins < 0 || std::fabs(index.times.front() - begins) < 2e-3,
        name + " begins at " + std::to_string(index.times.front()));
  check(ends < 0 || std::fabs(index.times.back() - ends) < 2e-3,
        name + " ends at " + std::to_string(index.times.back()));
  if (index.times.size() != numbers.size()) return;
  std::vector<float> first;
  std::mt19937 random(3);
  for (const int threads : {1, 4}) {
    for (const int64_t cache : {int64_t{0}, int64_t{1} << 28}) {
      for (const bool shuffled : {false, true}) {
        std::vector<size_t> order(numbers.size());
        for (size_t i = 0; i < order.size(); ++i) order[i] = i;
        if (shuffled) std::shuffle(order.begin(), order.end(), random);
        std::vector<ClipFailure> failures;
        const std::vector<float> clips = load_in_order(path, index, order, threads, cache, &failures);
        const std::string how = name + (shuffled ? ", shuffled, " : ", in order, ") +
                                std::to_string(threads) + " threads, cache " + std::to_string(cache);
        check(failures.empty(), how + ": " + (failures.empty() ? "" : failures[0].reason));
        if (first.empty()) {
          first = clips;
          const size_t size = clips.size() / numbers.size();
          for (size_t i = 0; i < numbers.size(); ++i) {
            const bool hidden = i + 1 < numbers.size() && index.times[i + 1] - index.times[i] < 2e-6;
            const int seen = read_binary(clips.data() + i * size);
            check(hidden || seen == numbers[i],
                  how + ": expected " + std::to_string(numbers[i]) + " but saw " + std::to_string(seen));
          }
        }
        check(clips.size() == first.size() &&
                  std::memcmp(clips.data(), first.data(), first.size() * sizeof(float)) == 0,
              how + ": other bytes");
      }
    }
  }
}

}  // namespace vssl::video
