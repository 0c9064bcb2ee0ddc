// Clips whose pixels are motion: differences of pictures, optical flow, or the edges of flow.
//
// Output t is made of two pictures, the one at times[t] and the one at next[t], cropped and flipped alike:
//   difference   R, G, B of the second picture minus those of the first, -1 to 1
//   flow         u, v, sqrt(u^2 + v^2): the movement from the first to the second picture in output pixels,
//                x right and y down; a flipped clip has u negated
//   flow-edges   min(10, |Sobel_x u, Sobel_y u, Sobel_x v, Sobel_y v|) / 10 in all three channels: motion
//                boundaries, which a steady movement of the camera does not have (Xiao et al., arXiv
//                2106.09703). Sobel is the 3 x 3 kernel with the weights 1, 2, 1, not divided by their sum;
//                the picture's border is repeated.
// then (x - mean) / std; a difference is divided by std alone.
#pragma once

#include <vector>

#include "augment.h"
#include "flow.h"

namespace vssl::video {

struct MotionScratch {
  FlowField field;
  std::vector<float> first, u, v, rest;
};

// out: (T, H, W, 3) floats of `plan`. pictures: those of plan.times, none when plan.flow names a file.
void motion_clip(float* out, const std::vector<PicturePtr>& pictures, const ClipPlan& plan,
                 MotionScratch& scratch, const RowOps& ops = row_ops());

}  // namespace vssl::video
