// Tests of native/video. Makes its own small videos; with VSSL_TEST_DATA=FOLDER also reads FOLDER/odd-files.
// Prints a line per failure; the last line is "N passed, N failed".
#include <atomic>
#include <cmath>
#include <thread>

#include "../video/cache.h"
#include "../video/sprite.h"
#include "../video/synthetic.h"
#include "video_file_checks.h"
#include "video_pass_checks.h"
#include "video_testing.h"

namespace vssl::video {
namespace {

void test_refused_files(const TemporaryFolder& folder) {
  write_bytes(folder.file("zero.mp4"), {});
  write_bytes(folder.file("text.mp4"), std::vector<uint8_t>(100, 'x'));
  write_bytes(folder.file("list.m3u8"), {'#', 'E', 'X', 'T', 'M', '3', 'U', '\n'});
  check_throws("ERR_VSSL_VIDEO_OPEN", "cannot open", [&] { index_file(folder.file("zero.mp4")); });
  check_throws("ERR_VSSL_VIDEO_OPEN", "cannot open", [&] { index_file(folder.file("text.mp4")); });
  check_throws("ERR_VSSL_VIDEO_OPEN", "cannot open", [&] { index_file(folder.file("list.m3u8")); });
  check_throws("ERR_VSSL_VIDEO_OPEN", "no such file", [&] { index_file(folder.file("absent.mp4")); });
  check_throws("ERR_VSSL_VIDEO_OPEN", "no such file", [&] { index_file(folder.path.string()); });
  write_numbered(folder.file("good.mp4"), 10, 5);
  const Value good = number_clip(file_source(folder.file("good.mp4")), {0.1});
  const Value bad = number_clip(file_source(folder.file("text.mp4")), {0.1});
  const LoadResult r = load_once(batch_plan({{good, bad, good}, {bad, good, bad}}), 3);
  check(r.failures.size() == 3 && r.failures[0].view == 0 && r.failures[0].sample == 1 &&
            r.failures[1].view == 1 && r.failures[1].sample == 0 && r.failures[2].sample == 2,
        "failures ordered by view and sample");
  check(r.failures[0].code == "ERR_VSSL_VIDEO_OPEN" && r.failures[0].path == folder.file("text.mp4"),
        "failure says why");
  const int64_t per_clip = 8 * 8 * 3;
  const float* failed_slot = r.batch->views[0].floats() + per_clip;
  check(std::all_of(failed_slot, failed_slot + per_clip, [](float v) { return v == 0; }),
        "a failed slot holds zeros");

  // The replacement goes into the failed slots alone.
  Value::Object again = std::get<0>(std::make_tuple(batch_plan({{good}, {good}}).as_object("plan")));
  again["slots"] = list({1});
  std::vector<float> before = floats(*r.batch);
  Loader loader({});
  const LoadResult replaced = load(loader, Value(again), r.batch);
  check(replaced.batch == r.batch && replaced.failures.empty(), "replacement writes into the same batch");
  const std::vector<float> after = floats(*replaced.batch);
  check(std::memcmp(before.data(), after.data(), sizeof(float) * per_clip) == 0,
        "other slots stay as they are");
  check(std::memcmp(after.data(), after.data() + per_clip, sizeof(float) * per_clip) == 0,
        "the slot has the good clip");
}

void test_plan_errors() {
  const auto fails = [](const std::string& part, const Value& plan) {
    check_throws("ERR_VSSL_INVALID_ARGUMENT", part, [&] { load_once(plan); });
  };
  const Value source(Value::Object{{"kind", Value("synthetic")}});
  const auto with = [&](const std::string& key, const Value& value) {
    Value::Object clip = plain_clip(source, {0, 1}, 8, 8);
    clip[key] = value;
    return batch_plan({{Value(clip)}});
  };
  const auto with_augment = [&](const std::string& key, const Value& value) {
    Value::Object augment = plain_augment();
    augment[key] = value;
    return with("augment", Value(Value::Array{Value(augment)}));
  };
  fails("plan", Value(3));
  fails("but received 3 for version", Value(Value::Object{{"version", Value(3)}}));
  fails("views", batch_plan({}));
  fails("views[0].clips", batch_plan({{}}));
  fails("views[0].clips[0].times", with("times", list({})));
  fails("views[0].clips[0].times", with("times", list({NAN})));
  fails("views[0].clips[0].height", with("height", Value(0)));
  fails("views[0].clips[0].shrink", with("shrink", Value(1.5)));
  fails("views[0].clips[0].std", with("std", list({1, 0, 1})));
  fails("views[0].clips[0].mean", with("mean", list({1, 0})));
  fails("views[0].clips[0].input", with("input", Value("yuv")));
  fails("views[0].clips[0].modality", with("modality", Value("depth")));
  fails("source.kind", with("source", Value(Value::Object{{"kind", Value("tape")}})));
  fails("augment", with("augment", Value(Value::Array(3, Value(plain_augment())))));
  fails("augment[0].crop", with_augment("crop", list({0, 0, 2, 1})));
  fails("augment[0].crop", with_augment("crop", list({0.5, 0, 0.5, 1})));
  fails("augment[0].color[].op", with_augment("color", Value(Value::Array{color_op("sharpness", 1)})));
  fails("augment[0].blur", with_augment("blur", Value(-1)));
  const Value clip(plain_clip(source, {0, 1}, 8, 8)), longer(plain_clip(source, {0, 1, 2}, 8, 8));
  fails("views[0].clips[1]", batch_plan({{clip, longer}}));
  fails("views[1].clips", batch_plan({{clip, clip}, {clip}}));
  check_throws("ERR_VSSL_INVALID_ARGUMENT", "threads", [] { Loader loader({0, 0}); });
  // Each number is allowed, and all together are 3 TB: refused before they are taken.
  Value::Object vast = plain_clip(source, std::vector<double>(4096, 0.0), 8192, 8192);
  check_throws("ERR_VSSL_OUT_OF_MEMORY", "a batch of 1 samples",
               [&] { load_once(batch_plan({{Value(vast)}})); });
}

Value synthetic_source(int motion) {
  return Value(Value::Object{
      {"kind", Value("synthetic")},
      {"motion", Value(motion)},
      {"height", Value(48)},
      {"width", Value(48)},
      {"x", Value(0.4)},
      {"y", Value(0.6)},
      {"phase", Value(0.3)},
      {"speed", Value(0.3)},
      {"radius", Value(0.2)},
      {"size", Value(0.15)},
      {"sizeLow", Value(0.1)},
      {"sizeHigh", Value(0.2)},
      {"angle", Value(0.1)},
      {"sprite",
       Value(Value::Object{{"outline", Value(Value::Array{list({2, 0.2, 0.1}), list({3, 0.1, 0.7})})},
                           {"inner", list({1, 0.2, 0.1})},
                           {"outer", list({0.1, 0.9, 0.8})},
                           {"stripes", Value(1)}})},
      {"background", Value(Value::Object{{"base", list({0.5, 0.5, 0.5})},
                                         {"waves", Value(Value::Array{list({1, 2, 0.3, 0.1, 0.05, 0})})}})}});
}

void test_synthetic() {
  for (int motion = 0; motion < kMotions; ++motion) {
    const Value spec = synthetic_source(motion);
    const std::vector<uint8_t> a = render_synthetic(spec, {0, 0.4, 0.8}, 48, 48);
    check(a == render_synthetic(spec, {0, 0.4, 0.8}, 48, 48), "the same pictures twice");
    check(std::memcmp(a.data(), a.data() + 48 * 48 * 3, 48 * 48 * 3) != 0,
          "motion " + std::to_string(motion) + " moves");
    // Each pair but the last is one film and the same film backwards.
    if (motion < 14) {
      const std::vector<uint8_t> back =
          render_synthetic(synthetic_source(motion ^ 1), {0, -0.4, -0.8}, 48, 48);
      int worst = 0;
      for (size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(a[i] - back[i]));
      check(worst <= 1, "motion " + std::to_string(motion) + " backwards is its partner");
    }
  }
  // On a torus, a right-moving sprite is back after 1 / speed seconds.
  const std::vector<uint8_t> loop = render_synthetic(synthetic_source(0), {0.5, 0.5 + 1 / 0.3}, 48, 48);
  int worst = 0;
  for (size_t i = 0; i < loop.size() / 2; ++i)
    worst = std::max(worst, std::abs(loop[i] - loop[i + loop.size() / 2]));
  check(worst <= 1, "the torus closes");
  // A clip plan sees the rendered pictures.
  const LoadResult r = load_once(batch_plan({{Value(plain_clip(synthetic_source(3), {0, 0.4}, 48, 48))}}));
  const std::vector<uint8_t> direct = render_synthetic(synthetic_source(3), {0, 0.4}, 48, 48);
  double off = 0;
  for (size_t i = 0; i < direct.size(); ++i)
    off = std::max(off, std::fabs(r.batch->views[0].floats()[i] - direct[i] / 255.0));
  check(off < 1e-6, "a plan gives the rendered pictures");
  check_throws("ERR_VSSL_INVALID_ARGUMENT", "motion",
               [] { render_synthetic(synthetic_source(16), {0}, 16, 16); });
}

void test_sprite_texture() {
  // 4 x 2 pixels, the right half transparent: the visible 2 x 2 fill the square
  std::vector<uint8_t> rgba;
  for (int y = 0; y < 2; ++y) {
    for (int x = 0; x < 4; ++x) {
      const std::vector<uint8_t> pixel = {static_cast<uint8_t>(x == 0 ? 255 : 0), 0,
                                          static_cast<uint8_t>(x == 1 ? 255 : 0),
                                          static_cast<uint8_t>(x < 2 ? 255 : 0)};
      rgba.insert(rgba.end(), pixel.begin(), pixel.end());
    }
  }
  const SpriteTexture texture = make_sprite(rgba.data(), 2, 4);
  check(texture.levels.front().side == kSpriteSide && texture.levels.back().side == 1, "all sizes");
  double left[4], right[4], outside[4], all[4];
  texture.sample(left, 0.25, 0.5, 1);
  texture.sample(right, 0.75, 0.5, 1);
  texture.sample(outside, 1.1, 0.5, 1);
  texture.sample(all, 0.5, 0.5, kSpriteSide);
  check(left[0] == 1 && left[2] == 0 && left[3] == 1, "the left pixel");
  check(right[0] == 0 && right[2] == 1 && right[3] == 1, "the right pixel");
  check(outside[3] == 0, "nothing outside");
  check(std::fabs(all[0] - 0.5) < 1e-6 && std::fabs(all[2] - 0.5) < 1e-6 && std::fabs(all[3] - 1) < 1e-6,
        "a tiny sprite is the mean of its picture");
  // half way between two levels is half way between their means
  double fine[4], coarse[4], between[4];
  texture.sample(fine, 0.45, 0.5, 32);
  texture.sample(coarse, 0.45, 0.5, 64);
  texture.sample(between, 0.45, 0.5, 32 * std::sqrt(2.0));
  check(std::fabs(between[0] - (fine[0] + coarse[0]) / 2) < 1e-6, "linear between levels");
  // a picture that is smaller than its sprite, cut in thirds: 3 pixels over 128 texels keep their mean
  std::vector<uint8_t> thirds(3 * 3 * 4, 255);
  for (int i = 0; i < 3; ++i) thirds[static_cast<size_t>(i) * 3 * 4] = 0;
  double mean[4];
  make_sprite(thirds.data(), 3, 3).sample(mean, 0.5, 0.5, kSpriteSide);
  check(std::fabs(mean[0] - 2.0 / 3) < 1e-5 && std::fabs(mean[1] - 1) < 1e-5, "every pixel has its share");
  const std::vector<uint8_t> nothing(4 * 4 * 4, 0);
  check_throws("ERR_VSSL_VIDEO_DECODE", "transparent", [&] { make_sprite(nothing.data(), 4, 4); });
}

void test_memory_and_packed(const TemporaryFolder& folder) {
  const std::vector<uint8_t> rgb = numbered_frames(12, kH, kW);
  std::vector<uint8_t> packed(100, 9);
  packed.insert(packed.end(), rgb.begin(), rgb.end());
  write_bytes(folder.file("packed.bin"), packed);
  Loader loader({2, 1 << 20});
  const int64_t id = loader.add_memory_clip(rgb.data(), 12, kH, kW);
  const Value memory(Value::Object{{"kind", Value("memory")}, {"id", Value(id)}, {"fps", Value(10)}});
  const auto packed_source = [&](int frames) {
    return Value(Value::Object{{"kind", Value("packed")},
                               {"path", Value(folder.file("packed.bin"))},
                               {"offset", Value(100)},
                               {"frames", Value(frames)},
                               {"height", Value(kH)},
                               {"width", Value(kW)},
                               {"fps", Value(10)}});
  };
  const std::vector<double> times = {0, 0.3, 0.39, 1.1, 5, -1};
  const LoadResult r =
      load(loader, batch_plan({{number_clip(memory, times), number_clip(packed_source(12), times)}}));
  check_numbers("memory and packed", r, {0, 3, 3, 11, 11, 0, 0, 3, 3, 11, 11, 0});
  const LoadResult cut = load(loader, batch_plan({{number_clip(packed_source(13), {1.2})}}));
  check(cut.failures.size() == 1 && cut.failures[0].reason.find("ends before") != std::string::npos,
        "a cut packed file");
  loader.remove_memory_clip(id);
  const LoadResult gone = load(loader, batch_plan({{number_clip(memory, {0})}}));
  check(
      gone.failures.size() == 1 && gone.failures[0].reason.find("no clip with this id") != std::string::npos,
      "a removed memory clip");
}

void test_images(const TemporaryFolder& folder) {
  const std::vector<uint8_t> rgb = numbered_frames(6, kH, kW);
  Value::Array files;
  for (int i = 0; i < 6; ++i) {
    const bool jpeg = i % 2 != 0;
    const std::string path = folder.file("picture" + std::to_string(i) + (jpeg ? ".jpg" : ".png"));
    WriteOptions o;
    o.codec = jpeg ? "mjpeg" : "png";
    o.quality = 2;
    write_video(path, rgb.data() + static_cast<size_t>(i) * kH * kW * 3, 1, kH, kW, o);
    files.emplace_back(path);
  }
  const Value source(Value::Object{{"kind", Value("images")}, {"files", Value(files)}, {"fps", Value(5)}});
  check_numbers("images",
                load_once(batch_plan({{number_clip(source, {0, 0.2, 0.45, 0.6, 1.1})}}), 1, 1 << 20),
                {0, 1, 2, 3, 5});
}

void test_writer_errors(const TemporaryFolder& folder) {
  const std::vector<uint8_t> rgb = numbered_frames(2, kH, kW);
  const auto fails = [&](const std::string& part, const std::string& name, WriteOptions o) {
    check_throws("ERR_VSSL_VIDEO_WRITE", part,
                 [&] { write_video(folder.file(name), rgb.data(), 2, kH, kW, o); });
    check(!std::filesystem::exists(folder.file(name)), "nothing is left of " + name);
  };
  WriteOptions o;
  o.codec = "no-such-codec";
  fails("no-such-codec", "a.mp4", o);
  o.codec = "gif";
  fails("does not take codec", "b.mp4", o);
  const std::vector<uint8_t> large(2 * 64 * 64 * 3, 90);  // the least that SVT-AV1 takes
  for (const char* codec : {"ffv1", "libsvtav1"}) {
    o.codec = codec;
    try {
      write_video(folder.file("b.mkv"), large.data(), 2, 64, 64, o);
    } catch (const Error&) {
      continue;  // an FFmpeg without it
    }
    check_throws("ERR_VSSL_VIDEO_WRITE", "does not take codec",
                 [&] { write_video(folder.file("b.flv"), large.data(), 2, 64, 64, o); });
  }
  o = {};
  fails("container", "c.unknown", o);
  fails("cannot create", "absent/d.mp4", o);
  o.fps = 0;
  fails("fps", "e.mp4", o);
  o = {};
  o.times = {0, 0};
  fails("rise", "f.mp4", o);
}

void test_cache() {
  std::mt19937 random(4);
  PictureCache cache(100'000);
  std::vector<PicturePtr> pictures;
  for (int i = 0; i < 60; ++i)
    pictures.push_back(random_picture({60, 40, 1, 1, ColorModel::kYuv, false}, random));
  const auto key = [](int i) { return picture_key("file", i, 1); };
  for (int i = 0; i < 60; ++i) {
    cache.put(key(i), pictures[static_cast<size_t>(i)]);
    check(cache.bytes() <= 100'000, "the cache keeps its bound");
  }
  check(cache.find(key(0)) == pictures[0] && !cache.find(key(59)),
        "what is in stays in while it is asked for");
  check(!cache.find(picture_key("file", 0, 2)) && !cache.find(picture_key("other", 0, 1)),
        "keys are told apart");
  for (int round = 0; round < 400; ++round) cache.find(key(3));
  cache.put(key(59), pictures[59]);
  check(cache.find(key(59)) == pictures[59] && cache.find(key(3)) == pictures[3],
        "what nobody asks for makes room");
}

void test_closing(const TemporaryFolder& folder) {
  const std::string path = folder.file("numbered.mp4");
  for (int round = 0; round < 10; ++round) {
    std::atomic<int> done{0}, closed{0};
    {
      Loader loader({3, 0});
      for (int i = 0; i < 20; ++i) {
        loader.load(random_plan({path}, static_cast<uint32_t>(i), 6), nullptr,
                    [&](LoadResult, std::exception_ptr e) {
                      ++done;
                      if (!e) return;
                      try {
                        std::rethrow_exception(e);
                      } catch (const Error& error) {
                        closed += error.code == "ERR_VSSL_DISPOSED";
                      }
                    });
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(round));
    }
    check(done == 20, "every batch ends once when the loader closes");
    check(closed > 0, "what waited is cancelled");
  }
  // Closed from within `done`.
  auto loader = std::make_unique<Loader>(LoaderOptions{2, 0});
  std::atomic<bool> ended{false};
  loader->load(random_plan({path}, 1, 2), nullptr, [&](LoadResult, std::exception_ptr) {
    loader.reset();
    ended = true;
  });
  while (!ended) std::this_thread::yield();
  check(true, "a loader may close in its own callback");
}

}  // namespace
}  // namespace vssl::video

int main() {
  using namespace vssl::video;
  test_plan_errors();
  test_planes();
  test_pass_sizes();
  test_pass_operations();
  test_synthetic();
  test_sprite_texture();
  test_cache();
  {
    const TemporaryFolder folder;
    test_memory_and_packed(folder);
    if (libav_version().empty()) {
      vssl::check_throws("ERR_VSSL_NO_LIBAV", "FFmpeg", [&] { index_file(folder.file("packed.bin")); });
    } else {
      test_index_and_times(folder);
      test_refused_files(folder);
      test_images(folder);
      test_writer_errors(folder);
      test_equal_bytes(folder);
      test_closing(folder);
      test_damage(folder);
      if (const char* data = std::getenv("VSSL_TEST_DATA")) test_odd_files(std::string(data) + "/odd-files");
    }
  }
  return vssl::finish();
}
