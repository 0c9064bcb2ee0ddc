// What fuzzing starts from: small sound files of many containers and codecs, and bytes for the structured
// targets. Made anew each time, so none of them is kept in the repository.
#pragma once

#include <random>

#include "input.h"

namespace vssl::video::fuzz {

struct Seed {
  std::string name;
  std::vector<uint8_t> bytes;
};

// Sound video files; what the linked FFmpeg cannot write is left out.
inline std::vector<Seed> decode_seeds() {
  static const struct {
    const char *container, *codec;
  } kFiles[] = {{"mp4", "mpeg4"},      {"mp4", "libx264"},      {"mp4", "libx265"},   {"mp4", "mpeg2video"},
                {"mov", "qtrle"},      {"mov", "png"},          {"mov", "prores"},    {"mov", "mjpeg"},
                {"avi", "mpeg4"},      {"avi", "msmpeg4v2"},    {"avi", "huffyuv"},   {"avi", "zmbv"},
                {"avi", "msvideo1"},   {"avi", "rawvideo"},     {"mkv", "libx264"},   {"mkv", "ffv1"},
                {"webm", "libvpx"},    {"webm", "libvpx-vp9"},  {"ts", "mpeg2video"}, {"ts", "libx264"},
                {"mpg", "mpeg1video"}, {"flv", "flv"},          {"flv", "libx264"},   {"wmv", "wmv2"},
                {"ogv", "libtheora"},  {"nut", "snow"},         {"ivf", "libvpx"},    {"gif", "gif"},
                {"apng", "apng"},      {"y4m", "rawvideo"},     {"m4v", "mpeg4"},     {"h264", "libx264"},
                {"m1v", "mpeg1video"}, {"3gp", "h263"},         {"rm", "rv10"},       {"dxf", "dnxhd"},
                {"mjpeg", "mjpeg"},    {"webp", "libwebp_anim"}};
  const TemporaryFolder folder;
  const int count = 9;
  std::vector<Seed> seeds;
  for (const auto& f : kFiles) {
    const std::string name = std::string(f.codec) + "." + f.container;
    WriteOptions o;
    o.codec = f.codec;
    const bool large = o.codec == "libx265";  // which refuses smaller ones
    const int h = large ? 64 : 32, w = large ? 64 : 48;
    const std::vector<uint8_t> rgb = numbered_frames(count, h, w);
    o.gop = 4;
    o.quality = 20;
    try {
      write_video(folder.file(name), rgb.data(), count, h, w, o);
    } catch (const Error&) {
      continue;
    }
    seeds.push_back({name, read_bytes(folder.file(name))});
  }
  return seeds;
}

// For the targets that read choices off their bytes.
inline std::vector<Seed> choice_seeds(size_t least, size_t most, int count) {
  std::mt19937 random(7);
  std::vector<Seed> seeds;
  for (int i = 0; i < count; ++i) {
    Seed seed{"choices" + std::to_string(i), std::vector<uint8_t>(least + random() % (most - least + 1))};
    // Low bytes are plain choices; high ones ask for odd values.
    for (uint8_t& b : seed.bytes) b = static_cast<uint8_t>(random() % (i % 4 == 0 ? 256 : 250));
    seeds.push_back(std::move(seed));
  }
  return seeds;
}

inline std::vector<Seed> seeds_of(const std::string& target) {
  if (target == "decode") return decode_seeds();
  return target == "plan" ? choice_seeds(40, 900, 64) : choice_seeds(20, 6000, 64);
}

}  // namespace vssl::video::fuzz
