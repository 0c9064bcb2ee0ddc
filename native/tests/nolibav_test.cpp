// The video room built without libav and OpenCV: files fail with a reason, and so does a plan with flow;
// synthetic, packed and memory clips still work, and differences of their pictures.
#include <numeric>

#include "../video/sprite.h"
#include "../video/writer.h"
#include "video_testing.h"

namespace vssl::video {
namespace {

constexpr int kT = 3, kH = 6, kW = 8;

// Sum over a loaded clip, 0 to 1 a value: distinguishes pictures from an untouched buffer.
double mean_of(const LoadResult& r) {
  const ViewBuffer& v = r.batch->views[0];
  const int64_t n = v.shape[0] * v.row_values();
  return std::accumulate(v.floats(), v.floats() + n, 0.0) / static_cast<double>(n);
}

LoadResult load_clip(Loader& loader, const Value& source) {
  return load(loader, batch_plan({{Value(plain_clip(source, {0, 0.04, 0.08}, kH, kW))}}));
}

void test_files_fail(Loader& loader, const TemporaryFolder& folder) {
  check(libav_version().empty(), "no libav version");
  const std::string path = folder.file("clip.mp4");
  write_bytes(path, std::vector<uint8_t>(1000, 7));
  check_throws("ERR_VSSL_NO_LIBAV", "", [&] { index_file(path); });
  const std::vector<uint8_t> rgb(kT * kH * kW * 3);
  check_throws("ERR_VSSL_NO_LIBAV", "", [&] { write_video(path, rgb.data(), kT, kH, kW, {}); });
  check_throws("ERR_VSSL_NO_LIBAV", "", [] { VideoWriter(kH, kW, {}); });
  const LoadResult r = load_clip(loader, file_source(path));
  check(r.failures.size() == 1 && r.failures[0].code == "ERR_VSSL_NO_LIBAV", "a file is a clip failure");
}

void test_other_sources(Loader& loader, const TemporaryFolder& folder) {
  const std::vector<uint8_t> rgb(kT * kH * kW * 3, 51);  // 0.2 everywhere
  const auto id = loader.add_memory_clip(rgb.data(), kT, kH, kW);
  const LoadResult memory = load_clip(
      loader, Value(Value::Object{{"kind", "memory"}, {"id", Value(static_cast<int64_t>(id))}, {"fps", 25}}));
  check(memory.failures.empty() && std::abs(mean_of(memory) - 0.2) < 0.005, "memory clip");

  const std::string path = folder.file("packed.bin");
  write_bytes(path, rgb);
  const LoadResult packed = load_clip(loader, Value(Value::Object{{"kind", "packed"},
                                                                  {"path", path},
                                                                  {"offset", 0},
                                                                  {"frames", kT},
                                                                  {"height", kH},
                                                                  {"width", kW},
                                                                  {"fps", 25}}));
  check(packed.failures.empty() && std::abs(mean_of(packed) - 0.2) < 0.005, "packed clip");
}

void test_sprites() {
  check_throws("ERR_VSSL_NO_LIBAV", "sprites=", [] { load_sprite("sprite.png"); });
}

void test_flow(Loader& loader) {
  check(flow_version().empty() && !flow_fault().empty(), "no flow");
  std::vector<uint8_t> rgb(kT * kH * kW * 3, 51);
  std::fill(rgb.begin() + kH * kW * 3, rgb.end(), 102);  // brighter from the second picture on
  const auto id = loader.add_memory_clip(rgb.data(), kT, kH, kW);
  Value::Object clip = plain_clip(
      Value(Value::Object{{"kind", "memory"}, {"id", Value(static_cast<int64_t>(id))}, {"fps", 25}}),
      {0, 0.04}, kH, kW);
  clip["next"] = list({0.04, 0.08});
  clip["modality"] = Value("flow-edges");
  check_throws("ERR_VSSL_NO_FLOW", "libopencv-video-dev", [&] { load(loader, batch_plan({{Value(clip)}})); });
  clip["modality"] = Value("difference");
  const LoadResult r = load(loader, batch_plan({{Value(clip)}}));
  check(r.failures.empty() && std::abs(mean_of(r) - 0.1) < 0.005, "differences");
}

}  // namespace
}  // namespace vssl::video

int main() {
  using namespace vssl::video;
  const TemporaryFolder folder;
  Loader loader({1, 0});
  test_files_fail(loader, folder);
  test_other_sources(loader, folder);
  test_sprites();
  test_flow(loader);
  return vssl::finish();
}
