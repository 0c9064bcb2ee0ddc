// The first convolution: arguments, packing, and which rows meet which taps. Inner loop in
// clip_conv_avx512_bf16.cpp.
#include "clip_conv.h"

#include <algorithm>
#include <cstring>

#include "arguments.h"
#include "clip_conv_rows.h"
#include "parallel.h"
#include "workspace.h"

namespace vssl {

using clip_conv_rows::kFilterBlock;
using clip_conv_rows::Row;

namespace {

constexpr int64_t kMostChannels = 64;

int64_t pairs_of(const ClipConv& s) { return (s.kernel[2] * s.channels + 1) / 2; }
int64_t blocks_of(const ClipConv& s) { return (s.filters + kFilterBlock - 1) / kFilterBlock; }

void validate(const ClipConv& s) {
  const int64_t most = most_beside(1);
  for (const auto& [value, name] : {std::pair(s.clips, "clips"),
                                    {s.frames, "frames"},
                                    {s.height, "height"},
                                    {s.width, "width"},
                                    {s.filters, "filters"}})
    expect_range(value, 1, most, name);
  expect_range(s.channels, 1, kMostChannels, "channels");
  for (int axis = 0; axis < 3; ++axis) {
    expect_range(s.kernel[axis], 1, most, "kernel");
    expect_range(s.stride[axis], 1, most, "stride");
    expect_range(s.padding[axis], 0, s.kernel[axis] - 1, "padding");
    const int64_t size = axis == 0 ? s.frames : axis == 1 ? s.height : s.width;
    expect_range(size + 2 * s.padding[axis], s.kernel[axis], most, "size of a clip with its padding");
  }
}

// Taps [begin, end) of an axis that meet a real row of x for output `at`, and the first such row.
struct Taps {
  int64_t begin, end, first;
  Taps(int64_t at, int64_t kernel, int64_t stride, int64_t padding, int64_t size) {
    const int64_t start = at * stride - padding;
    begin = std::max<int64_t>(0, -start);
    end = std::min(kernel, size - start);
    first = start + begin;
  }
  int64_t count() const { return std::max<int64_t>(0, end - begin); }
};

}  // namespace

bool has_clip_conv() { return clip_conv_rows::row_kernel() != nullptr; }

std::vector<uint32_t> pack_clip_conv(const uint16_t* weight, const ClipConv& s) {
  expect_memory(weight, weight);
  validate(s);
  const int64_t taps = s.kernel[0] * s.kernel[1], pairs = pairs_of(s), row = s.kernel[2] * s.channels;
  std::vector<uint32_t> packed(static_cast<size_t>(blocks_of(s) * taps * pairs * kFilterBlock), 0);
  for (int64_t f = 0; f < s.filters; ++f) {
    for (int64_t tap = 0; tap < taps; ++tap) {
      uint32_t* out =
          packed.data() + ((f / kFilterBlock * taps + tap) * pairs) * kFilterBlock + f % kFilterBlock;
      for (int64_t i = 0; i < row; ++i) {
        const int64_t column = i / s.channels, channel = i % s.channels;
        const uint32_t value = weight[((f * s.channels + channel) * taps + tap) * s.kernel[2] + column];
        out[i / 2 * kFilterBlock] |= i % 2 == 0 ? value : value << 16;
      }
    }
  }
  return packed;
}

void clip_conv(uint16_t* out, const uint16_t* x, const uint32_t* packed, const float* bias, const ClipConv& s,
               int threads) {
  expect_memory(out, x);
  expect_memory(packed, bias);
  validate(s);
  expect_threads(threads);
  const clip_conv_rows::RowKernel kernel = clip_conv_rows::row_kernel();
  if (kernel == nullptr) throw Error(kInvalidArgument, "clip_conv needs a CPU that multiplies bf16");
  const int64_t values = s.width * s.channels, rows = s.clips * s.frames * s.height;
  const int64_t left = s.padding[2] * s.channels, pitch = values + 2 * left + clip_conv_rows::kSlack;
  const int64_t pairs = pairs_of(s), taps = s.kernel[0] * s.kernel[1];
  const int64_t frames = s.output(0), height = s.output(1), width = s.output(2);
  Workspace workspace(Workspace::padded(rows * pitch * static_cast<int64_t>(sizeof(uint16_t))));
  uint16_t* const padded = workspace.take<uint16_t>(rows * pitch);
  const double work = 2.0 * static_cast<double>(s.clips * frames * height * width) *
                      static_cast<double>(s.filters * taps * pairs * 2);
  Phase pad, multiply;
  pad.reset(s.clips * s.frames);
  multiply.reset(s.clips * frames);
  run_team(useful_threads(threads, work, kFlopsPerThread), [&] {
    pad.run([&](int64_t picture) {
      for (int64_t row = picture * s.height; row < (picture + 1) * s.height; ++row) {
        uint16_t* to = padded + row * pitch;
        std::fill_n(to, left, uint16_t{0});
        std::memcpy(to + left, x + row * values, static_cast<size_t>(values) * sizeof(uint16_t));
        std::fill(to + left + values, to + pitch, uint16_t{0});
      }
    });
    multiply.run([&](int64_t picture) {
      const int64_t clip = picture / frames;
      const Taps time(picture % frames, s.kernel[0], s.stride[0], s.padding[0], s.frames);
      for (int64_t block = 0; block < blocks_of(s); ++block) {
        for (int64_t h = 0; h < height; ++h) {
          const Taps line(h, s.kernel[1], s.stride[1], s.padding[1], s.height);
          Row row;
          row.out = out + (picture * height + h) * width * s.filters;
          row.x = padded + ((clip * s.frames + time.first) * s.height + line.first) * pitch;
          row.packed = packed + (block * taps + time.begin * s.kernel[1] + line.begin) * pairs * kFilterBlock;
          row.bias = bias;
          row.width = width;
          row.filters = s.filters;
          row.first_filter = block * kFilterBlock;
          row.step = s.stride[2] * s.channels;
          row.pairs = pairs;
          row.times = time.count();
          row.lines = line.count();
          row.time_pitch = s.height * pitch;
          row.line_pitch = pitch;
          row.packed_time_pitch = s.kernel[1] * pairs * kFilterBlock;
          row.packed_line_pitch = pairs * kFilterBlock;
          row.relu = s.relu;
          kernel(row);
        }
      }
    });
  });
}

}  // namespace vssl
