// Files that are written in parts: they are the frames given, at the times given, whatever the stretches; and
// what a caller may do wrong.
#include <algorithm>
#include <cmath>

#include "../video/writer.h"
#include "video_testing.h"

namespace vssl::video {
namespace {

// Smooth, coloured, and different in every frame.
std::vector<uint8_t> wave_frames(int64_t t, int64_t h, int64_t w) {
  std::vector<uint8_t> rgb;
  for (int64_t i = 0; i < t * h * w; ++i) {
    const auto x = static_cast<double>(i % w), y = static_cast<double>(i / w % h);
    const auto at = static_cast<double>(i / (h * w));
    for (int c = 0; c < 3; ++c)
      rgb.push_back(static_cast<uint8_t>(128 + 90 * std::sin(0.11 * x + 0.07 * y + 0.4 * at + 2 * c)));
  }
  return rgb;
}

void put(std::vector<uint8_t>& file, const std::vector<FilePart>& parts) {
  for (const FilePart& part : parts) {
    const auto end = static_cast<size_t>(part.at) + part.bytes.size();
    if (file.size() < end) file.resize(end);
    std::copy(part.bytes.begin(), part.bytes.end(), file.begin() + part.at);
  }
}

void check_near(double value, double expected, double most, const std::string& what) {
  check_at_most(std::abs(value - expected), most, what);
}

struct Shape {
  int64_t t, h, w;
};

WriteOptions jpeg(double fps, int64_t quality = 2) {
  WriteOptions o;
  o.codec = "mjpeg";
  o.fps = fps;
  o.quality = quality;
  return o;
}

std::vector<uint8_t> write_parts(const std::vector<uint8_t>& rgb, const Shape& s, const WriteOptions& o,
                                 int64_t stretch) {
  VideoWriter writer(s.h, s.w, o);
  std::vector<uint8_t> file;
  const int64_t frame = s.h * s.w * 3;
  for (int64_t i = 0; i < s.t; i += stretch)
    put(file, writer.add(rgb.data() + i * frame, std::min(stretch, s.t - i) * frame));
  put(file, writer.finish());
  return file;
}

// Root mean square difference of all frames, of 255.
double error_of(const std::string& path, const std::vector<uint8_t>& rgb, const Shape& s) {
  const VideoIndex index = index_file(path);
  const LoadResult r = load_once(batch_plan(
      {{Value(plain_clip(file_source(path), index.times, static_cast<int>(s.h), static_cast<int>(s.w)))}}));
  check(r.failures.empty(), "every picture is decoded");
  const ViewBuffer& v = r.batch->views[0];
  double sum = 0;
  for (size_t i = 0; i < rgb.size(); ++i) sum += std::pow(v.floats()[i] * 255 - rgb[i], 2);
  return std::sqrt(sum / static_cast<double>(rgb.size()));
}

void test_frames_and_times(const TemporaryFolder& folder) {
  struct Kind {
    Shape shape;
    double fps;
  };
  // one picture; odd sides; a rate of video, of hours and of milliseconds; taller than the lines from which
  // BT.709 is guessed where a stream does not say its colours
  for (const Kind& kind : std::vector<Kind>{{{1, 48, 64}, 25},
                                            {{7, 33, 51}, 30000.0 / 1001},
                                            {{3, 1, 1}, 25},
                                            {{5, 16, 16}, 1.0 / 3600},
                                            {{70, 24, 40}, 1000.0 / 33.367},
                                            {{2, 736, 64}, 60}}) {
    const Shape& s = kind.shape;
    const std::vector<uint8_t> rgb = wave_frames(s.t, s.h, s.w);
    const std::vector<uint8_t> whole = write_parts(rgb, s, jpeg(kind.fps), s.t);
    check(whole == write_parts(rgb, s, jpeg(kind.fps), 3), "the file does not depend on the stretches");
    const std::string path = folder.file("wave.mov");
    write_bytes(path, whole);
    const VideoIndex index = index_file(path);
    check(index.codec == "mjpeg" && index.warnings.empty(), "Motion JPEG without a warning");
    check(index.width == s.w && index.height == s.h, "size");
    check(static_cast<int64_t>(index.times.size()) == s.t && index.keys.size() == index.times.size(),
          "every picture is a key picture");
    for (size_t i = 0; i < index.times.size(); ++i)
      check_near(index.times[i], static_cast<double>(i) / kind.fps, 1e-12 * (1 + index.times[i]), "time");
    check_near(index.end, static_cast<double>(s.t) / kind.fps, 1e-9 * index.end, "end");
    const double error = error_of(path, rgb, s);
    check_at_most(error, 3, "pictures of " + std::to_string(s.h) + " lines");
  }
}

// Six hours: the last picture is where it should be.
void test_long_file(const TemporaryFolder& folder) {
  constexpr int64_t kFrames = 540'000, kStretch = 27'000;
  constexpr double kFps = 24.97531;
  VideoWriter writer(2, 2, jpeg(kFps));
  std::vector<uint8_t> file;
  const std::vector<uint8_t> rgb(kStretch * 2 * 2 * 3, 90);
  for (int64_t i = 0; i < kFrames; i += kStretch)
    put(file, writer.add(rgb.data(), static_cast<int64_t>(rgb.size())));
  put(file, writer.finish());
  const std::string path = folder.file("long.mov");
  write_bytes(path, file);
  const VideoIndex index = index_file(path);
  check(static_cast<int64_t>(index.times.size()) == kFrames, "frames");
  check_near(index.times.back(), (kFrames - 1) / kFps, 1e-7, "the last picture of hours");
}

void test_quality() {
  const Shape s{2, 64, 96};
  const std::vector<uint8_t> rgb = wave_frames(s.t, s.h, s.w);
  size_t size = SIZE_MAX;
  for (const int64_t quality : {2, 8, 31}) {
    const std::vector<uint8_t> file = write_parts(rgb, s, jpeg(25, quality), 1);
    check(file.size() < size, "a worse quality is smaller");
    size = file.size();
  }
}

void test_refusals() {
  const std::vector<uint8_t> rgb(2 * 2 * 3);
  const auto size = static_cast<int64_t>(rgb.size());
  VideoWriter empty(2, 2, jpeg(25));
  check_throws("ERR_VSSL_INVALID_ARGUMENT", "whole frames", [&] { empty.add(rgb.data(), size - 1); });
  check_throws("ERR_VSSL_INVALID_ARGUMENT", "whole frames", [&] { empty.add(rgb.data(), 0); });
  check_throws("ERR_VSSL_INVALID_ARGUMENT", "after its frames", [&] { empty.finish(); });
  empty.add(rgb.data(), size);
  empty.finish();
  check_throws("ERR_VSSL_INVALID_ARGUMENT", "once", [&] { empty.finish(); });
  check_throws("ERR_VSSL_INVALID_ARGUMENT", "before the end", [&] { empty.add(rgb.data(), size); });
  const auto fails = [](const std::string& part, int64_t h, WriteOptions o) {
    check_throws("ERR_VSSL_VIDEO_WRITE", part, [&] { VideoWriter(h, 2, o); });
  };
  fails("sides", 0, jpeg(25));
  fails("sides", 8193, jpeg(25));
  fails("fps", 2, jpeg(1e-6));
  fails("fps", 2, jpeg(NAN));
  fails("quality", 2, jpeg(25, 32));
  WriteOptions other = jpeg(25);
  other.codec = "no-such-codec";
  fails("no-such-codec", 2, other);
  other.codec = "mpeg4";
  other.fps = 1e-5;
  fails("frames a second", 16, other);
}

}  // namespace
}  // namespace vssl::video

int main() {
  using namespace vssl::video;
  if (!libav_version().empty()) {
    const TemporaryFolder folder;
    test_frames_and_times(folder);
    test_long_file(folder);
    test_quality();
    test_refusals();
  }
  return vssl::finish();
}
