#include "orientation.h"

#include <cmath>
#include <cstring>

#ifdef VSSL_WITH_LIBAV
#include "libav.h"
#endif

namespace vssl::video {

namespace {

constexpr double kDegrees = 57.29577951308232;
constexpr double kExact = 1;  // degrees by which a matrix may miss a quarter turn, as in FFmpeg's own players

// Whole numbers of TIFF, in the byte order of the block; 0 beyond its end.
class Tiff {
 public:
  Tiff(const uint8_t* data, size_t size) : data_(data), size_(size), big_(size > 0 && data[0] == 'M') {}
  uint32_t number(size_t at, size_t bytes) const {
    if (at > size_ || bytes > size_ - at) return 0;
    uint32_t n = 0;
    for (size_t i = 0; i < bytes; ++i) n = n << 8 | data_[at + (big_ ? i : bytes - 1 - i)];
    return n;
  }

 private:
  const uint8_t* const data_;
  const size_t size_;
  const bool big_;
};

}  // namespace

std::optional<Orientation> orientation_of_matrix(const int32_t m[9], bool* exact) {
  // (x, y) of the coded picture is shown at (m0 x + m3 y, m1 x + m4 y); y points down.
  const double right = std::hypot(m[0], m[3]), down = std::hypot(m[1], m[4]);
  const double area = static_cast<double>(m[0]) * m[4] - static_cast<double>(m[1]) * m[3];
  if (right == 0 || down == 0 || area == 0) return std::nullopt;
  Orientation o;
  o.mirror = area < 0;
  const double sign = o.mirror ? -1 : 1;  // where the picture's right goes, or its left when it is mirrored
  const double turn = std::atan2(sign * m[1] / down, sign * m[0] / right) * kDegrees;  // clockwise
  const long quarters = std::lround(turn / 90);
  o.rotation = static_cast<int>(quarters & 3) * 90;
  *exact = std::fabs(turn - 90.0 * static_cast<double>(quarters)) <= kExact;
  return o;
}

std::optional<Orientation> orientation_of_exif(const uint8_t* tiff, size_t size) {
  constexpr uint32_t kTag = 0x0112, kShort = 3;
  constexpr size_t kEntry = 12;
  if (size < 8 || (std::memcmp(tiff, "II*\0", 4) != 0 && std::memcmp(tiff, "MM\0*", 4) != 0))
    return std::nullopt;
  const Tiff block(tiff, size);
  const size_t directory = block.number(4, 4), entries = block.number(directory, 2);
  for (size_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + i * kEntry;
    if (block.number(entry, 2) != kTag || block.number(entry + 2, 2) != kShort) continue;
    switch (block.number(entry + 8, 2)) {
      case 1:
        return Orientation{0, false};
      case 2:
        return Orientation{0, true};
      case 3:
        return Orientation{180, false};
      case 4:
        return Orientation{180, true};
      case 5:
        return Orientation{270, true};
      case 6:
        return Orientation{90, false};
      case 7:
        return Orientation{90, true};
      case 8:
        return Orientation{270, false};
      default:
        return std::nullopt;
    }
  }
  return std::nullopt;
}

#ifdef VSSL_WITH_LIBAV

namespace {

uint32_t big_endian(const uint8_t* p) {
  return static_cast<uint32_t>(p[0]) << 24 | static_cast<uint32_t>(p[1]) << 16 |
         static_cast<uint32_t>(p[2]) << 8 | p[3];
}

uint32_t little_endian(const uint8_t* p) {
  return static_cast<uint32_t>(p[3]) << 24 | static_cast<uint32_t>(p[2]) << 16 |
         static_cast<uint32_t>(p[1]) << 8 | p[0];
}

// PNG: signature, then chunks of length, name, data, checksum.
std::optional<Orientation> orientation_of_png(const uint8_t* data, size_t size) {
  for (size_t at = 8; at + 12 <= size;) {
    const size_t length = big_endian(data + at);
    if (length > size - at - 12) break;
    if (std::memcmp(data + at + 4, "eXIf", 4) == 0) return orientation_of_exif(data + at + 8, length);
    at += length + 12;
  }
  return std::nullopt;
}

// WebP: "RIFF", size, "WEBP", then chunks of name, length, data, to an even number of bytes. Some writers put
// JPEG's mark before the TIFF block.
std::optional<Orientation> orientation_of_webp(const uint8_t* data, size_t size) {
  constexpr char kMark[] = "Exif\0";
  constexpr size_t kMarkBytes = 6;
  for (size_t at = 12; at + 8 <= size;) {
    const size_t length = little_endian(data + at + 4);
    if (length > size - at - 8) break;
    const uint8_t* const chunk = data + at + 8;
    if (std::memcmp(data + at, "EXIF", 4) == 0) {
      const bool marked = length >= kMarkBytes && std::memcmp(chunk, kMark, kMarkBytes) == 0;
      const size_t skipped = marked ? kMarkBytes : 0;
      return orientation_of_exif(chunk + skipped, length - skipped);
    }
    at += 8 + length + length % 2;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Orientation> orientation_of_stream(const AVStream* stream, std::vector<std::string>& warnings) {
#if LIBAVFORMAT_VERSION_INT >= AV_VERSION_INT(60, 15, 100)
  const AVPacketSideData* side = av_packet_side_data_get(
      stream->codecpar->coded_side_data, stream->codecpar->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
  const uint8_t* data = side ? side->data : nullptr;
  const size_t size = side ? side->size : 0;
#else
  size_t size = 0;
  const uint8_t* data = av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
#endif
  int32_t matrix[9];
  if (!data || size < sizeof(matrix)) return std::nullopt;
  std::memcpy(matrix, data, sizeof(matrix));
  bool exact = true;
  const std::optional<Orientation> o = orientation_of_matrix(matrix, &exact);
  if (!o) {
    warnings.push_back("the display matrix leaves nothing of the picture; it is not applied");
  } else if (!exact) {
    warnings.push_back("the display matrix does not turn by a quarter; " + std::to_string(o->rotation) +
                       " degrees are used, the nearest that does");
  }
  return o;
}

std::optional<Orientation> orientation_of_picture(const AVFrame* frame, const AVPacket* packet) {
  const AVFrameSideData* side = av_frame_get_side_data(frame, AV_FRAME_DATA_DISPLAYMATRIX);
  int32_t matrix[9];
  if (side && side->size >= sizeof(matrix)) {
    std::memcpy(matrix, side->data, sizeof(matrix));
    bool exact = true;
    return orientation_of_matrix(matrix, &exact);
  }
  const uint8_t* const data = packet->data;
  const auto size = static_cast<size_t>(packet->size);
  if (size >= 12 && std::memcmp(data, "\x89PNG\r\n\x1a\n", 8) == 0) return orientation_of_png(data, size);
  if (size >= 12 && std::memcmp(data, "RIFF", 4) == 0 && std::memcmp(data + 8, "WEBP", 4) == 0)
    return orientation_of_webp(data, size);
  return std::nullopt;
}

#endif  // VSSL_WITH_LIBAV

}  // namespace vssl::video
