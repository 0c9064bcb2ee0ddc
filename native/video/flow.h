// Optical flow between two pictures, and files of flow that `prepare` wrote. Building and loading OpenCV is
// optional: without it files of flow can still be read.
#pragma once

#include <string>
#include <vector>

#include "picture.h"
#include "plan.h"

namespace vssl::video {

// Movement of each sample of a picture's first plane until the next picture.
struct FlowField {
  int width = 0, height = 0;
  double extent_x = 0, extent_y = 0;  // as in Picture::Plane
  std::vector<float> uv;              // (height, width, 2) samples of this plane, x right and y down
};

// Sides below this give no flow.
constexpr int kLeastFlowSide = 16;

// Throws ERR_VSSL_NO_FLOW where OpenCV is not there, ERR_VSSL_VIDEO_DECODE for pictures without flow.
void compute_flow(FlowField& out, const Picture& from, const Picture& to);

// Field `position` of a file of 16-bit floats (frames, height, width, 2). Throws ERR_VSSL_VIDEO_OPEN,
// ERR_VSSL_VIDEO_DECODE.
void read_flow(FlowField& out, const FlowFile& file, int64_t position);

// Throws ERR_VSSL_NO_FLOW, saying how to get it, unless compute_flow has what it needs.
void require_flow();

float half_to_float(uint16_t half);

}  // namespace vssl::video
