// The numbers of a step. Checked whole before anything moves: what is missing must not turn into a default.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "../common/value.h"

namespace vssl::engine {

// One key of a step's numbers that a method knows.
struct HyperKey {
  std::string name;
  double low, high;  // inclusive
  bool whole = false;
  bool required = true;
  int64_t per_clip = 0;  // 0: one number; else an array of this many for each clip of the batch's first view
};

// Seeds are whole numbers that a double holds exactly.
HyperKey seed_key(const std::string& name, bool required = true);

// Throws ERR_VSSL_INVALID_ARGUMENT when a required key is missing, a key is not among `keys`, a number is not
// finite, not whole or out of its range, or an array has the wrong length.
void check_hyper(const Value& hyper, const std::vector<HyperKey>& keys, int64_t clips);

}  // namespace vssl::engine
