// Dense inverse search (Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016) of OpenCV,
// preset medium.
#include <algorithm>
#include <cstdio>
#include <opencv2/core.hpp>
#include <opencv2/core/ocl.hpp>
#include <opencv2/video/tracking.hpp>

#include "flow_library.h"

namespace vssl::video {

namespace {

bool compute(float* uv, const uint8_t* from, const uint8_t* to, int width, int height, char* error,
             int room) {
  try {
    // Work space that a thread uses again; every value in it is written before it is read.
    thread_local const cv::Ptr<cv::DISOpticalFlow> flow =
        cv::DISOpticalFlow::create(cv::DISOpticalFlow::PRESET_MEDIUM);
    const cv::Mat a(height, width, CV_8UC1, const_cast<uint8_t*>(from));
    const cv::Mat b(height, width, CV_8UC1, const_cast<uint8_t*>(to));
    cv::Mat field;  // empty: a field of the right size would be taken for a first guess
    flow->calc(a, b, field);
    for (int y = 0; y < height; ++y)
      std::copy_n(field.ptr<float>(y), 2 * static_cast<size_t>(width),
                  uv + 2 * static_cast<size_t>(y) * width);
    return true;
  } catch (const std::exception& e) {
    std::snprintf(error, static_cast<size_t>(room), "%s", e.what());
  } catch (...) {
    std::snprintf(error, static_cast<size_t>(room), "OpenCV failed without a reason");
  }
  return false;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const FlowLibrary* vssl_flow_library() {
  // The search cuts a picture into one stripe a thread, so one thread is what makes the field a function of
  // the pictures alone; the loader's threads work on different clips.
  cv::setNumThreads(1);
  cv::ocl::setUseOpenCL(false);
  static const FlowLibrary library{kFlowLibraryVersion, CV_VERSION, &compute};
  return &library;
}

}  // namespace vssl::video
