// Where a clip's foreground is, found by differences and colours without learning: the mask of FAME (Ding et
// al., CVPR 2022, arXiv 2109.15130). docs/methods/fame.md has the equations. Everything but the order of
// colours is sums of whole numbers, so that a mask has one value whatever the order of summing.
#pragma once

#include <cstdint>
#include <vector>

#include "rows.h"

namespace vssl::video {

// Work space of one thread, grown as needed and used again.
struct ForegroundScratch {
  std::vector<int32_t> sum, moved, last, keeps;
  std::vector<double> map, rows, order;
};

// Weights of a Gaussian at distances 0 .. radius, one side, in whole parts of 4096; both sides sum to 4096.
// The radius is half of a tenth of the shorter side, at least 1; sigma a third of the kernel.
std::vector<double> foreground_taps(int height, int width);

class Foreground {
 public:
  Foreground(int height, int width, ForegroundScratch& scratch, const RowOps& ops);

  // The next frame: planes R, G, B one after another, each height x width values in [0, 1].
  void add(const float* planes);

  // After the last one. `share`: of the pixels, at most, that are foreground; above 0 and below 1. `refined`:
  // by colours; else by differences alone. Null where no mask can be told: nothing moves, or all is alike.
  // Else 1 for foreground and 0 for background, a pixel each, until the next use of the scratch.
  const int32_t* find(double share, bool refined);

 private:
  void blur();
  bool color_map();
  double ranked(int64_t place);

  const int height_, width_;
  const int64_t area_;
  ForegroundScratch& scratch_;
  const RowOps& ops_;
  int frames_ = 0;
};

}  // namespace vssl::video
