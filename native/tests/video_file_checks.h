// Video files: their index, which picture a time means, equal bytes however they are made, and damage.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "video_pass_checks.h"
#include "video_testing.h"

namespace vssl::video {

constexpr int kH = 48, kW = 64;

inline void write_numbered(const std::string& path, int frames, int gop, double fps = 25, int h = kH,
                           int w = kW) {
  WriteOptions o;
  o.fps = fps;
  o.gop = gop;
  const std::vector<uint8_t> rgb = numbered_frames(frames, h, w);
  write_video(path, rgb.data(), frames, h, w, o);
}

// A clip whose crop is the left half, where the frame number can be read.
inline Value number_clip(const Value& source, const std::vector<double>& times) {
  Value::Object augment = plain_augment();
  augment["crop"] = list({0.05, 0.1, 0.4, 0.9});
  Value::Object clip = plain_clip(source, times, 8, 8);
  clip["augment"] = Value(Value::Array{Value(augment)});
  return Value(clip);
}

inline std::vector<double> numbers_of(const LoadResult& r) {
  const ViewBuffer& v = r.batch->views[0];
  std::vector<double> out;
  const int64_t h = v.shape[2], w = v.shape[3];
  for (int64_t i = 0; i < v.shape[0] * v.shape[1]; ++i) {
    out.push_back(read_number(v.floats() + i * h * w * 3, static_cast<int>(h), static_cast<int>(w)));
  }
  return out;
}

inline void check_numbers(const std::string& name, const LoadResult& r, const std::vector<int>& expected) {
  check(r.failures.empty(), name + ": " + (r.failures.empty() ? "" : r.failures[0].reason));
  const std::vector<double> got = numbers_of(r);
  for (size_t i = 0; i < expected.size(); ++i) {
    check(std::fabs(got[i] - expected[i]) < 0.5, name + ": expected frame " + std::to_string(expected[i]) +
                                                     " at entry " + std::to_string(i) + " but saw " +
                                                     std::to_string(got[i]));
  }
}

inline void test_index_and_times(const TemporaryFolder& folder) {
  for (const std::string suffix : {".mp4", ".avi", ".mkv"}) {
    const std::string path = folder.file("numbered" + suffix);
    write_numbered(path, 50, 12);
    const VideoIndex index = index_file(path);
    check(index.times.size() == 50 && index.width == kW && index.height == kH &&
              index.orientation == Orientation{} && index.codec == "mpeg4",
          "index of " + suffix);
    check(std::fabs(index.end - 2) < 0.002 && std::fabs(index.times[49] - 1.96) < 0.002, "end of " + suffix);
    check(index.keys == std::vector<int32_t>({0, 12, 24, 36, 48}), "key frames of " + suffix);
    std::vector<double> times;
    std::vector<int> expected;
    for (const int i : {0, 49, 3, 12, 11, 13, 24, 25, 37, 36, 3, 3, 48}) {
      times.push_back(index.times[static_cast<size_t>(i)] + 0.019);
      expected.push_back(i);
    }
    times.insert(times.end(), {-5, 100});  // before the first, after the last
    expected.insert(expected.end(), {0, 49});
    check_numbers(suffix, load_once(batch_plan({{number_clip(file_source(path), times)}})), expected);
  }
  WriteOptions o;  // variable rate: frames are shown for 40 ms, then for half a second
  for (int i = 0; i < 20; ++i) o.times.push_back(i < 10 ? 0.04 * i : 0.4 + 0.5 * (i - 10));
  const std::vector<uint8_t> rgb = numbered_frames(20, kH, kW);
  for (const std::string suffix : {".mp4", ".mkv"}) {
    const std::string path = folder.file("vfr" + suffix);
    write_video(path, rgb.data(), 20, kH, kW, o);
    const VideoIndex index = index_file(path);
    double worst = 0;
    for (size_t i = 0; i < 20; ++i) worst = worse(worst, std::fabs(index.times[i] - o.times[i]));
    check(index.times.size() == 20 && worst < 0.0015, "times of a variable rate in " + suffix);
    check_numbers(
        "vfr" + suffix,
        load_once(batch_plan({{number_clip(file_source(path), {0.05, 0.39, 0.45, 0.85, 1.0, 1.45, 4.95})}})),
        {1, 9, 10, 10, 11, 12, 19});
  }
  write_numbered(folder.file("one.mp4"), 1, 12);
  check(index_file(folder.file("one.mp4")).times.size() == 1, "a video of one frame");
}

// Random clips over several files, two views each.
inline Value random_plan(const std::vector<std::string>& paths, uint32_t seed, int samples) {
  std::mt19937 random(seed);
  std::vector<std::vector<Value>> views(2);
  for (int s = 0; s < samples; ++s) {
    const std::string& path = paths[random() % paths.size()];
    for (auto& view : views) {
      std::vector<double> times;
      const double start = uniform(random, 0, 1.5), step = uniform(random, 0.01, 0.1);
      for (int t = 0; t < 4; ++t) times.push_back(start + t * step);
      Value::Object augment = plain_augment();
      augment["flip"] = Value((random() & 1) != 0);
      augment["color"] = Value(Value::Array{color_op("contrast", 1.3), color_op("hue", 0.1)});
      Value::Object clip = plain_clip(file_source(path), times, 24, 24);
      clip["augment"] = Value(Value::Array{Value(augment)});
      clip["shrink"] = Value(&view == &views[0] ? 1 : 2);
      view.emplace_back(clip);
    }
  }
  return batch_plan(views);
}

inline std::string describe(const std::vector<ClipFailure>& failures) {
  std::string all;
  for (const ClipFailure& f : failures) {
    all += std::to_string(f.view) + "/" + std::to_string(f.sample) + " " + f.code + " " + f.reason + " " +
           std::to_string(f.where) + "\n";
  }
  return all;
}

inline void check_equal_bytes(const std::string& name, const std::vector<std::string>& paths) {
  std::vector<Value> plans;
  for (uint32_t seed = 0; seed < 3; ++seed) plans.push_back(random_plan(paths, seed, 12));
  std::vector<std::vector<float>> first;
  std::vector<std::string> failures;
  for (const int64_t cache : {int64_t{0}, int64_t{60'000}, int64_t{1} << 30}) {
    for (const int threads : {1, 2, 4}) {
      LoaderOptions options;
      options.threads = threads;
      options.cache_bytes = cache;
      Loader loader(options);
      for (size_t order = 0; order < plans.size(); ++order) {
        const size_t p = (order + static_cast<size_t>(threads)) % plans.size();
        const LoadResult r = load(loader, plans[p]);
        if (first.size() < plans.size()) {
          first.resize(plans.size());
          failures.resize(plans.size());
        }
        const std::vector<float> out = floats(*r.batch);
        if (first[p].empty()) {
          first[p] = out;
          failures[p] = describe(r.failures);
        }
        const std::string how = ", threads " + std::to_string(threads) + ", cache " + std::to_string(cache);
        check(first[p].size() == out.size() && std::memcmp(first[p].data(), out.data(), out.size() * 4) == 0,
              name + ": other bytes" + how);
        check(failures[p] == describe(r.failures), name + ": other failures" + how);
      }
    }
  }
}

inline void test_equal_bytes(const TemporaryFolder& folder) {
  std::vector<std::string> paths;
  const int gops[] = {1, 5, 12, 100};
  const char* const suffixes[] = {".mp4", ".avi", ".mkv", ".mp4"};
  for (int i = 0; i < 4; ++i) {
    paths.push_back(folder.file("equal" + std::to_string(i) + suffixes[i]));
    write_numbered(paths.back(), 40, gops[i], 25, kH + i, kW + 2 * i);
  }
  check_equal_bytes("sound files", paths);
}

// Files cut short, with flipped bytes, with runs of zeros: used or refused, never a crash, always the same.
inline void test_damage(const TemporaryFolder& folder) {
  std::mt19937 random(7);
  for (const std::string suffix : {".mp4", ".avi", ".mkv"}) {
    const std::string sound = folder.file("sound" + suffix);
    write_numbered(sound, 40, 10);
    const std::vector<uint8_t> bytes = read_bytes(sound);
    for (int round = 0; round < 16; ++round) {
      std::vector<uint8_t> damaged = bytes;
      if (round % 4 == 0) {
        damaged.resize(bytes.size() * static_cast<size_t>(round + 1) / 16);
      } else if (round % 4 == 1) {
        for (int i = 0; i < 30; ++i)
          damaged[random() % damaged.size()] ^= static_cast<uint8_t>(1u << (random() % 8));
      } else if (round % 4 == 2) {
        const size_t from = random() % damaged.size();
        std::fill(damaged.begin() + static_cast<std::ptrdiff_t>(from),
                  damaged.begin() + static_cast<std::ptrdiff_t>(std::min(from + 2000, damaged.size())),
                  uint8_t{0});
      } else {
        for (int i = 0; i < 6; ++i)
          damaged[random() % std::min<size_t>(damaged.size(), 600)] = static_cast<uint8_t>(random());
      }
      const std::string path = folder.file("damaged" + std::to_string(round) + suffix);
      write_bytes(path, damaged);
      try {
        const VideoIndex index = index_file(path);
        check(!index.times.empty() && index.end >= index.times.back() &&
                  std::is_sorted(index.times.begin(), index.times.end()),
              "index of damaged file " + std::to_string(round) + suffix);
      } catch (const Error& e) {
        check(e.code.rfind("ERR_VSSL_VIDEO_", 0) == 0, "code of damaged file: " + e.code);
      }
      check_equal_bytes("damaged " + std::to_string(round) + suffix, {path, sound});
    }
  }
}

// Facts of the folder of odd files: number of pictures and first time, or the code with which the file is
// refused.
inline void test_odd_files(const std::string& folder) {
  struct Fact {
    int pictures;
    double first;
    std::string refused;
  };
  const std::map<std::string, Fact> facts = {{"anim.gif", {9, 0, ""}},
                                             {"edit_list_cut.mp4", {79, 0, ""}},
                                             {"gray.mp4", {118, 0.1, ""}},
                                             {"interlaced.mpg", {59, 0.5667, ""}},
                                             {"odd_size_444.mp4", {118, 0.1, ""}},
                                             {"one_frame.mp4", {1, 0.1, ""}},
                                             {"one_keyframe.mp4", {118, 0.1, ""}},
                                             {"raw_annexb.h264", {118, 0, ""}},
                                             {"rgb_ffv1.mkv", {20, 0.1, ""}},
                                             {"rotated90_tag.mp4", {118, 0, ""}},
                                             {"sar2.mp4", {118, 0.1, ""}},
                                             {"size_change.ts", {54, 1.5, ""}},
                                             {"start_time_100s.mkv", {118, 100.1, ""}},
                                             {"three_frames.mp4", {3, 0.1, ""}},
                                             {"truncated.mkv", {71, 0.1, ""}},
                                             {"truncated_faststart.mp4", {69, 0.1, ""}},
                                             {"vfr.mp4", {78, 0.1, ""}},
                                             {"vfr_slow_tail.mkv", {118, 0, ""}},
                                             {"vp9.webm", {27, 0.1, ""}},
                                             {"whole_moov_end.mp4", {118, 0.1, ""}},
                                             {"yuv422p10.mp4", {118, 0.1, ""}},
                                             {"audio_only.mp4", {0, 0, "ERR_VSSL_VIDEO_NO_STREAM"}},
                                             {"cover_art.mp3", {0, 0, "ERR_VSSL_VIDEO_NO_STREAM"}},
                                             {"random_bytes.avi", {0, 0, "ERR_VSSL_VIDEO_OPEN"}},
                                             {"text.mp4", {0, 0, "ERR_VSSL_VIDEO_OPEN"}},
                                             {"truncated_no_moov.mp4", {0, 0, "ERR_VSSL_VIDEO_OPEN"}},
                                             {"zero_bytes.mp4", {0, 0, "ERR_VSSL_VIDEO_OPEN"}}};
  std::vector<std::string> sound;
  for (const auto& [name, fact] : facts) {
    const std::string path = folder + "/" + name;
    if (!fact.refused.empty()) {
      check_throws(fact.refused, "", [&] { index_file(path); });
      continue;
    }
    sound.push_back(path);
    const VideoIndex index = index_file(path);
    check(static_cast<int>(index.times.size()) == fact.pictures &&
              std::fabs(index.times[0] - fact.first) < 1e-3,
          name + " has " + std::to_string(index.times.size()) + " pictures from " +
              std::to_string(index.times[0]));
    std::vector<Value> clips;
    for (const double t : index.times) clips.emplace_back(plain_clip(file_source(path), {t}, 16, 16));
    const LoadResult r = load_once(batch_plan({clips}), 2, 1 << 26);
    check(r.failures.empty(), name + ": " + (r.failures.empty() ? "" : r.failures[0].reason));
    check(r.stats.decoded_frames >= fact.pictures, name + ": every picture is decoded");
  }
  check_equal_bytes("odd files", sound);
  check(index_file(folder + "/sar2.mp4").width == 320, "sample aspect ratio is applied");
  check(index_file(folder + "/rotated90_tag.mp4").height == 176, "rotation is applied");
  const LoadResult flipped =
      load_once(batch_plan({{Value(plain_clip(file_source(folder + "/bit_flips.mp4"), {1}, 8, 8))}}));
  check(flipped.failures.size() == 1 && flipped.failures[0].code == "ERR_VSSL_VIDEO_DECODE",
        "flipped bits are found");
}

}  // namespace vssl::video
