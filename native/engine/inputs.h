// What a method's step reads: views, side arrays and numbers. Checked whole before anything moves: what is
// missing must not turn into a default.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "../common/value.h"
#include "tensor.h"

namespace vssl::engine {

class DeviceClips;  // device_clips.h

// Named rows of a batch. Rows of different arrays that belong to the same sample belong together.
struct Rows {
  std::string name;
  // (N, ...), on the CPU, borrowed from the batch. Clips are (N, 3, T, H, W) fp32, channels-last. Of clips
  // that are packed it has the shape alone: runtime.h's clips_of() and floats_of() know both.
  Tensor data;
  // The sample of each row, ascending; empty when every sample has one, in order.
  std::vector<int64_t> samples;
  std::shared_ptr<const DeviceClips> packed = nullptr;
};

// Rows that a step reads.
struct RowsSpec {
  std::string name;
  at::ScalarType dtype = at::kFloat;
  std::vector<int64_t> shape;  // of a row; -1: any
  bool optional = false;       // samples may lack it, all of them too
};

// A view of clips, (3, T, H, W) each.
RowsSpec clip_view(const std::string& name);

// One of a step's numbers.
struct NumberSpec {
  std::string name;
  double low, high;  // inclusive
  bool whole = false;
  bool required = true;
};

// Seeds are whole numbers that a double holds exactly.
NumberSpec seed_spec(const std::string& name, bool required = true);

struct Inputs {
  std::vector<RowsSpec> views, side;
  std::vector<NumberSpec> numbers;
};

// Throws ERR_VSSL_INVALID_ARGUMENT, in the name of `method`, when a view, side array or number is missing or
// unknown, or is not what its specification says. Side arrays have a row for each of the `samples`.
void check_inputs(const std::string& method, const Inputs& inputs, const std::vector<Rows>& views,
                  const std::vector<Rows>& side, int64_t samples, const Value& numbers);

// Throws ERR_VSSL_INVALID_ARGUMENT when rows of two views differ in shape.
void check_same_shape(const Rows& a, const Rows& b);

}  // namespace vssl::engine
