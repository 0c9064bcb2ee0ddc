// The one entry of vssl_flow.so, in plain C: the module holds everything of OpenCV and is loaded when flow is
// first asked for, with symbols of its own. (OpenCV brings protobuf and LAPACK, and libtorch exports its
// own.)
#pragma once

#include <cstdint>

namespace vssl::video {

constexpr int kFlowLibraryVersion = 1;

struct FlowLibrary {
  int version;
  const char* opencv;  // version of the library
  // uv: (height, width, 2) pixels by which each pixel of `from` has moved in `to`, x and y; both pictures are
  // 8-bit gray rows of `width` bytes. False: `error` (of `room` bytes) says why, nothing is thrown.
  bool (*compute)(float* uv, const uint8_t* from, const uint8_t* to, int width, int height, char* error,
                  int room);
};

constexpr const char* kFlowLibraryEntry = "vssl_flow_library";
using FlowLibraryEntry = const FlowLibrary* (*)();

}  // namespace vssl::video
