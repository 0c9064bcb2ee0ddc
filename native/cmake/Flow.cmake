# Optical flow, optional: vssl_flow.so, the only module that links OpenCV, loaded when flow is first asked for.
# pkg-config is not asked: its entry opencv4 names every module of OpenCV and comes with libopencv-dev alone.
if(NOT VSSL_FLOW STREQUAL "OFF")
  find_path(VSSL_OPENCV_INCLUDE opencv2/video/tracking.hpp PATH_SUFFIXES opencv4)
  find_library(VSSL_OPENCV_CORE opencv_core)
  find_library(VSSL_OPENCV_VIDEO opencv_video)
  if(VSSL_OPENCV_INCLUDE AND VSSL_OPENCV_CORE AND VSSL_OPENCV_VIDEO)
    add_library(vssl_flow MODULE native/video/flow/opencv_flow.cpp)
    target_include_directories(vssl_flow SYSTEM PRIVATE ${VSSL_OPENCV_INCLUDE})
    target_link_libraries(vssl_flow PRIVATE ${VSSL_OPENCV_VIDEO} ${VSSL_OPENCV_CORE})
    set_target_properties(vssl_flow PROPERTIES PREFIX "" SUFFIX ".so" LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}
                                               LIBRARY_OUTPUT_DIRECTORY_RELEASE ${CMAKE_BINARY_DIR})
    target_compile_definitions(vssl_video_core PRIVATE VSSL_WITH_FLOW)
  elseif(VSSL_FLOW STREQUAL "ON")
    message(FATAL_ERROR "OpenCV's video module was not found; on Debian: apt-get install libopencv-video-dev")
  else()
    message(STATUS "building without optical flow: OpenCV's video module was not found")
  endif()
endif()
