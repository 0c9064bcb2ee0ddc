// From a clip's small pictures to the floats that a network sees, in one pass per frame.
#pragma once

#include <vector>

#include "foreground.h"
#include "picture.h"
#include "plan.h"
#include "rows.h"

namespace vssl::video {

// Work space of one thread, grown as needed and used again.
struct AugmentScratch {
  std::vector<float> planes, blurred, padded, rows, mean, scale;
  ForegroundScratch foreground;
};

// Weights of a Gaussian at distances 0 .. radius, one side; both sides sum to 1.
void blur_taps(std::vector<float>& taps, double sigma, int radius);

// out: (T, H, W, 3) floats of `plan`; pictures: one per entry of plan.times.
// `behind`: the pictures of plan.background, which is not laid under where there are none.
// In the order of FrameAugment: crop and bilinear resize, flip, background, colour, gray, blur, solarize,
// then normalisation, then the input kind.
void augment_clip(float* out, const std::vector<PicturePtr>& pictures, const ClipPlan& plan,
                  AugmentScratch& scratch, const RowOps& ops = row_ops(),
                  const std::vector<PicturePtr>* behind = nullptr);

}  // namespace vssl::video
