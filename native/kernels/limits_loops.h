// The per-ISA inner loops of limits.h, behind one table of functions.
#pragma once

#include <cstdint>

#include "isa.h"

namespace vssl::limits {

constexpr int64_t kStreamAlignment = 64;  // of the targets that the loops are given

struct LimitLoops {
  /// `rounds` multiply-adds on every chain; returns something that depends on them all.
  float (*multiply_add)(int64_t rounds);
  double flops_per_round;
  /// Something that depends on all words.
  uint64_t (*read)(const uint64_t* words, int64_t count);
  /// target[i] = source[i]; target is aligned to kStreamAlignment, as in the next two.
  void (*copy)(float* target, const float* source, int64_t count);
  void (*widen)(float* target, const uint8_t* source, int64_t count);
  /// target[i] = scale a[i] + (1 - scale) b[i]; plain stores when `in_place`.
  void (*triad)(float* target, const float* a, const float* b, float scale, int64_t count, bool in_place);
};

/// The multiply-add of bf16 pairs alone.
struct Bf16Loop {
  float (*multiply_add)(int64_t rounds);
  double flops_per_round;
};

const LimitLoops& table_of(Isa isa);  // one that this build has
const Bf16Loop* bf16_loop();          // null where the path in use has none

}  // namespace vssl::limits
