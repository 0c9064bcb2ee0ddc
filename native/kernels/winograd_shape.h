// Sizes that winograd.cpp and winograd_gradient.cpp share.
#pragma once

#include <algorithm>
#include <utility>

#include "arguments.h"
#include "winograd.h"
#include "winograd_loops.h"

namespace vssl::winograd_shape {

using winograd_loops::kFilterBlock;
using winograd_loops::kLanes;
using winograd_loops::kProducts;

inline int64_t in_whole(int64_t count, int64_t unit) { return (count + unit - 1) / unit; }
inline int64_t pairs_of(const WinogradConv& s) { return in_whole(s.channels, kLanes) * kLanes / 2; }
inline int64_t blocks_of(const WinogradConv& s) { return in_whole(s.filters, kFilterBlock); }

inline void validate(const WinogradConv& s) {
  const int64_t most = most_beside(1);
  for (const auto& [value, name] : {std::pair(s.clips, "clips"),
                                    {s.frames, "frames"},
                                    {s.height, "height"},
                                    {s.width, "width"},
                                    {s.channels, "channels"},
                                    {s.filters, "filters"}})
    expect_range(value, 1, most, name);
  expect_range(s.taps, 1, winograd_loops::kMostTaps, "taps");
  for (int axis = 0; axis < 3; ++axis) {
    const int64_t kernel = axis == 0 ? s.taps : 3;
    expect_range(s.padding[axis], 0, kernel - 1, "padding");
    const int64_t size = axis == 0 ? s.frames : axis == 1 ? s.height : s.width;
    expect_range(size + 2 * s.padding[axis], kernel, most, "size of a clip with its padding");
  }
}

// What is computed together: all filters of `lines` lines of squares of `clips` clips, `frames` frames at a
// time. The frames that the taps of those see are kept in a ring.
struct Unit {
  int64_t clips, lines, frames;
};

// The largest size up to `most` that cuts `all` into parts of about one size.
inline int64_t share(int64_t all, int64_t most) {
  return in_whole(all, in_whole(all, std::clamp<int64_t>(most, 1, all)));
}

// About `rows` squares at a time, in `lines` lines of `across`.
inline Unit unit_of(const WinogradConv& s, int64_t lines, int64_t across, int64_t rows) {
  Unit u{1, share(lines, in_whole(rows, across)), 1};
  if (u.lines < lines) return u;
  u.clips = share(s.clips, in_whole(rows, lines * across));
  u.frames = share(s.output(0), in_whole(rows, u.clips * lines * across));
  return u;
}

// Whether packed weights stay in a core's cache.
inline bool are_cached(const WinogradConv& s) { return packed_winograd_size(s) * 4 <= 512 << 10; }

// What `count` squares of a line of them see of a frame of x.
inline void see(winograd_loops::Pixels& pixels, const WinogradConv& s, const uint16_t* x, int64_t clip,
                int64_t frame, int64_t line, int64_t count, const uint16_t* zeros) {
  for (int64_t i = 0; i < 4; ++i) {
    const int64_t h = 2 * line + i - s.padding[1];
    pixels.lines[i] = h < 0 || h >= s.height
                          ? nullptr
                          : x + ((clip * s.frames + frame) * s.height + h) * s.width * s.channels;
  }
  pixels.zeros = zeros;
  pixels.width = s.width;
  pixels.channels = s.channels;
  pixels.count = count;
  pixels.first_column = -s.padding[2];
}

inline double flops_of(const WinogradConv& s) {
  const int64_t squares = in_whole(s.output(1), 2) * in_whole(s.output(2), 2);
  return 2.0 * kProducts * static_cast<double>(s.clips * s.output(0) * squares) *
         static_cast<double>(s.filters * s.taps * pairs_of(s) * 2);
}

}  // namespace vssl::winograd_shape
