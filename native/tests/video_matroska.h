// Writes small Matroska files by hand, with what no encoder of the tests writes: several video streams, marks
// of colour.
#pragma once

#include <string>
#include <vector>

#include "video_testing.h"

namespace vssl::video {

using Binary = std::vector<uint8_t>;

inline void append(Binary& to, const Binary& more) { to.insert(to.end(), more.begin(), more.end()); }

// An element: its id, its size in four bytes, its content.
inline Binary ebml(uint32_t id, const Binary& content) {
  Binary out;
  for (int shift = 24; shift >= 0; shift -= 8) {
    if (id >> shift) out.push_back(static_cast<uint8_t>(id >> shift));
  }
  const auto size = static_cast<uint32_t>(content.size());
  append(out, {static_cast<uint8_t>(0x10 | size >> 24), static_cast<uint8_t>(size >> 16),
               static_cast<uint8_t>(size >> 8), static_cast<uint8_t>(size)});
  append(out, content);
  return out;
}

inline Binary ebml(uint32_t id, uint32_t number) {
  return ebml(id, Binary{static_cast<uint8_t>(number >> 24), static_cast<uint8_t>(number >> 16),
                         static_cast<uint8_t>(number >> 8), static_cast<uint8_t>(number)});
}

inline Binary ebml(uint32_t id, const std::string& text) {
  return ebml(id, Binary(text.begin(), text.end()));
}

inline Binary ebml(uint32_t id, const std::vector<Binary>& children) {
  Binary content;
  for (const Binary& child : children) append(content, child);
  return ebml(id, content);
}

struct MatroskaTrack {
  int width = 0, height = 0;
  std::vector<Binary> jpegs;  // its pictures, 40 ms each
  bool is_default = true;
  uint32_t transfer = 0, primaries = 0;  // as in ITU-T H.273; 0: not said
};

inline void write_matroska(const std::string& path, const std::vector<MatroskaTrack>& tracks) {
  std::vector<Binary> entries, blocks{ebml(0xE7, 0u)};  // the cluster's time
  for (size_t i = 0; i < tracks.size(); ++i) {
    const MatroskaTrack& t = tracks[i];
    const auto number = static_cast<uint32_t>(i + 1);
    std::vector<Binary> video{ebml(0xB0, static_cast<uint32_t>(t.width)),
                              ebml(0xBA, static_cast<uint32_t>(t.height))};
    std::vector<Binary> color;
    if (t.transfer) color.push_back(ebml(0x55BA, t.transfer));
    if (t.primaries) color.push_back(ebml(0x55BB, t.primaries));
    if (!color.empty()) video.push_back(ebml(0x55B0, color));
    entries.push_back(ebml(
        0xAE, {ebml(0xD7, number), ebml(0x73C5, number), ebml(0x83, 1u), ebml(0x88, t.is_default ? 1u : 0u),
               ebml(0x86, std::string("V_MJPEG")), ebml(0xE0, video)}));
    for (size_t p = 0; p < t.jpegs.size(); ++p) {
      const auto when = static_cast<uint32_t>(40 * p);
      Binary block{static_cast<uint8_t>(0x80 | number), static_cast<uint8_t>(when >> 8),
                   static_cast<uint8_t>(when), 0x80};
      append(block, t.jpegs[p]);
      blocks.push_back(ebml(0xA3, block));
    }
  }
  Binary file = ebml(0x1A45DFA3, {ebml(0x4282, std::string("matroska"))});
  append(file, ebml(0x18538067, {ebml(0x1549A966, {ebml(0x2AD7B1, 1'000'000u)}), ebml(0x1654AE6B, entries),
                                 ebml(0x1F43B675, blocks)}));
  write_bytes(path, file);
}

}  // namespace vssl::video
