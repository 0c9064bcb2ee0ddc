// The inner loop of clip_conv.h.
#pragma once

#include <cstdint>

namespace vssl::clip_conv_rows {

constexpr int64_t kLanes = 16;        // filters of a vector
constexpr int64_t kFilterBlock = 32;  // of one pass over a row
constexpr int64_t kSlack = 32;        // readable values past a padded row

// One row of the output from the rows of x that it sees.
struct Row {
  uint16_t* out;           // (width, filters)
  const uint16_t* x;       // the first row that it sees, padded
  const uint32_t* packed;  // at the first tap that meets a row of x
  const float* bias;
  int64_t width, filters, first_filter;
  int64_t step;                                  // values of x from one output to the next
  int64_t pairs;                                 // words of a kernel's row
  int64_t times, lines;                          // taps that meet rows of x
  int64_t time_pitch, line_pitch;                // of x
  int64_t packed_time_pitch, packed_line_pitch;  // of packed
  bool relu;
};

using RowKernel = void (*)(const Row& row);

// Null where the path in use has none.
RowKernel row_kernel();

}  // namespace vssl::clip_conv_rows
