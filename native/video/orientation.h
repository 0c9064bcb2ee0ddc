// How the pictures of a decoder are brought upright: the eight orientations of a display matrix and of EXIF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

struct AVFrame;
struct AVPacket;
struct AVStream;

namespace vssl::video {

// First mirrored left to right, then turned clockwise.
struct Orientation {
  int rotation = 0;  // degrees: 0, 90, 180, 270
  bool mirror = false;

  bool swaps_sides() const { return rotation % 180 != 0; }
  bool operator==(const Orientation& o) const { return rotation == o.rotation && mirror == o.mirror; }
};

// Of a display matrix as libavutil/display.h defines it: the nearest of the eight. `*exact` is false when it
// turns by another angle; none for a matrix that squeezes the picture to a line.
std::optional<Orientation> orientation_of_matrix(const int32_t matrix[9], bool* exact);

// Of EXIF's tag 0x0112 (1 to 8) in a TIFF block, "II*\0..." or "MM\0*..."; none when it is not there.
std::optional<Orientation> orientation_of_exif(const uint8_t* tiff, size_t size);

#ifdef VSSL_WITH_LIBAV

// What the container says. Adds a warning where the matrix is not one of the eight.
std::optional<Orientation> orientation_of_stream(const AVStream* stream, std::vector<std::string>& warnings);

// What a decoded picture says (H.264 and HEVC in their SEI, JPEG in its EXIF), or the packet that it came
// from: PNG and WebP keep EXIF in a chunk that decoders before FFmpeg 8 leave out.
std::optional<Orientation> orientation_of_picture(const AVFrame* frame, const AVPacket* packet);

#endif  // VSSL_WITH_LIBAV

}  // namespace vssl::video
