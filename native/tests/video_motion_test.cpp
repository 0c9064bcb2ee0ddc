// Clips of motion: differences, optical flow and its edges against slow twins; flow from files; errors.
#include <cmath>

#include "../video/flow.h"
#include "video_testing.h"

namespace vssl::video {
namespace {

constexpr int kH = 72, kW = 96, kT = 5;

// A smooth texture that moves by (dx, dy) pixels a frame, without an end.
std::vector<uint8_t> moving_texture(double dx, double dy, int h = kH, int w = kW) {
  std::vector<uint8_t> rgb;
  for (int t = 0; t < kT; ++t)
    for (int y = 0; y < h; ++y)
      for (int x = 0; x < w; ++x) {
        const double a = x - dx * t, b = y - dy * t;
        const double value = 128 + 40 * std::sin(0.31 * a + 0.12 * b) + 35 * std::cos(0.23 * b - 0.11 * a) +
                             25 * std::sin(0.07 * a * 1.7 + 0.4 * b) + 20 * std::sin(0.53 * a - 0.37 * b);
        for (int c = 0; c < 3; ++c)
          rgb.push_back(static_cast<uint8_t>(std::lround(std::min(255.0, std::max(0.0, value)))));
      }
  return rgb;
}

Value memory_source(int64_t id) {
  return Value(Value::Object{{"kind", "memory"}, {"id", Value(id)}, {"fps", 10}});
}

// Pairs (0, 1), (1, 2)... of a memory clip at 10 frames a second.
Value::Object motion_clip_plan(const std::string& modality, const Value& source, int h, int w,
                               int frames = kT - 1) {
  std::vector<double> times, next;
  for (int t = 0; t < frames; ++t) {
    times.push_back(0.1 * t + 0.05);
    next.push_back(0.1 * t + 0.15);
  }
  Value::Object clip = plain_clip(source, times, h, w);
  clip["modality"] = Value(modality);
  clip["next"] = list(next);
  return clip;
}

Value augment_with(const std::vector<double>& crop, bool flip) {
  Value::Object a = plain_augment();
  a["crop"] = list(crop);
  a["flip"] = Value(flip);
  return Value(Value::Array{Value(a)});
}

double median(std::vector<double> x) {
  std::nth_element(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(x.size() / 2), x.end());
  return x[x.size() / 2];
}

// Median of a channel away from the border.
double median_of(const std::vector<float>& clip, int t, int c, int h, int w) {
  std::vector<double> values;
  for (int y = h / 5; y < h - h / 5; ++y)
    for (int x = w / 5; x < w - w / 5; ++x) values.push_back(clip[((t * h + y) * w + x) * 3 + c]);
  return median(values);
}

void test_difference() {
  Loader loader({1, 0});
  const int h = 5, w = 7;
  std::vector<uint8_t> rgb;
  for (int t = 0; t < kT; ++t)
    for (int i = 0; i < h * w * 3; ++i)
      rgb.push_back(static_cast<uint8_t>((37 * i + 11 * t * t * (i % 5)) % 256));
  const auto at = [&](int t, int y, int x, int c) { return rgb[((t * h + y) * w + x) * 3 + c] / 255.0; };
  const Value source = memory_source(loader.add_memory_clip(rgb.data(), kT, h, w));
  for (const bool flip : {false, true}) {
    Value::Object clip = motion_clip_plan("difference", source, h, w);
    clip["augment"] = augment_with({0, 0, 1, 1}, flip);
    clip["std"] = list({0.5, 1, 2});
    clip["mean"] = list({9, 9, 9});  // has no part in a difference
    const LoadResult r = load(loader, batch_plan({{Value(clip)}}));
    const std::vector<float> found = floats(*r.batch);
    double worst = r.failures.empty() ? 0 : 1;
    for (int t = 0; t + 1 < kT; ++t)
      for (int y = 0; y < h; ++y)
        for (int x = 0; x < w; ++x)
          for (int c = 0; c < 3; ++c) {
            const int from = flip ? w - 1 - x : x;
            const double d = (at(t + 1, y, from, c) - at(t, y, from, c)) / (c == 0 ? 0.5 : c);
            worst = worse(worst, std::fabs(found[((t * h + y) * w + x) * 3 + c] - d));
          }
    check(worst < 1e-6, "difference, off by " + std::to_string(worst));
  }
  // The second picture is the one that the plan names, wherever it is.
  Value::Object far = motion_clip_plan("difference", source, h, w, 1);
  far["next"] = list({0.45});
  const std::vector<float> found = floats(*load(loader, batch_plan({{Value(far)}})).batch);
  check(std::fabs(found[4] - (at(4, 0, 1, 1) - at(0, 0, 1, 1))) < 1e-6, "the second picture is the plan's");
}

void test_translation() {
  Loader loader({1, 0});
  const double dx = 2.5, dy = -1.5;
  const auto rgb = moving_texture(dx, dy);
  const Value source = memory_source(loader.add_memory_clip(rgb.data(), kT, kH, kW));
  const auto flow_of = [&](int h, int w, const std::vector<double>& crop, bool flip) {
    Value::Object clip = motion_clip_plan("flow", source, h, w);
    clip["augment"] = augment_with(crop, flip);
    return floats(*load(loader, batch_plan({{Value(clip)}})).batch);
  };
  struct Case {
    int h, w;
    std::vector<double> crop;
    double scale_x, scale_y;
  };
  for (const Case& c :
       {Case{kH, kW, {0, 0, 1, 1}, 1, 1}, Case{kH / 2, kW / 2, {0, 0, 1, 1}, 0.5, 0.5},
        Case{kH, kW, {0.25, 0, 0.75, 1}, 2, 1}, Case{36, 36, {0.1, 0.2, 0.6, 0.9}, 0.75, 36 / (0.7 * kH)}}) {
    const auto straight = flow_of(c.h, c.w, c.crop, false), flipped = flow_of(c.h, c.w, c.crop, true);
    double worst = 0, mirror = 0;
    for (int t = 0; t < kT - 1; ++t) {
      worst = worse(worst, std::fabs(median_of(straight, t, 0, c.h, c.w) - dx * c.scale_x));
      worst = worse(worst, std::fabs(median_of(straight, t, 1, c.h, c.w) - dy * c.scale_y));
      worst = worse(
          worst, std::fabs(median_of(straight, t, 2, c.h, c.w) - std::hypot(dx * c.scale_x, dy * c.scale_y)));
    }
    for (int i = 0; i < (kT - 1) * c.h; ++i)
      for (int x = 0; x < c.w; ++x) {
        const float *a = &straight[(static_cast<size_t>(i) * c.w + x) * 3],
                    *b = &flipped[(static_cast<size_t>(i) * c.w + c.w - 1 - x) * 3];
        mirror = worse(mirror, std::fabs(a[0] + b[0]));
        mirror = worse(mirror, std::fabs(a[1] - b[1]) + std::fabs(a[2] - b[2]));
      }
    check(worst < 0.15, "the flow is the translation in output pixels, off by " + std::to_string(worst));
    check(mirror < 1e-5, "a flip mirrors the field and negates u, off by " + std::to_string(mirror));
  }
  // A steady movement has no edges; a still picture no flow.
  const auto edges =
      floats(*load(loader, batch_plan({{Value(motion_clip_plan("flow-edges", source, kH, kW))}})).batch);
  check(median_of(edges, 1, 0, kH, kW) < 0.05, "a translation has no edges");
  Value::Object still = motion_clip_plan("flow", source, kH, kW);
  still["next"] = still["times"];
  const auto zeros = floats(*load(loader, batch_plan({{Value(still)}})).batch);
  check(std::all_of(zeros.begin(), zeros.end(), [](float x) { return x == 0; }),
        "a picture and itself: zero");
}

void test_equal_bytes() {
  const auto a = moving_texture(2, 1), b = moving_texture(-1, 3);
  std::vector<float> first;
  for (const int threads : {1, 2, 4, 4}) {
    Loader loader({threads, 0});
    std::vector<Value> clips;
    for (int i = 0; i < 6; ++i) {
      const int64_t id = loader.add_memory_clip((i % 2 ? a : b).data(), kT, kH, kW);
      Value::Object clip = motion_clip_plan(i % 3 ? "flow" : "flow-edges", memory_source(id), 40, 40);
      clip["augment"] = augment_with({0.05 * i, 0, 0.5 + 0.05 * i, 1}, i % 2 == 1);
      clips.emplace_back(clip);
    }
    const LoadResult r = load(loader, batch_plan({clips}));
    check(r.failures.empty(), "flow on " + std::to_string(threads) + " threads");
    const auto found = floats(*r.batch);
    if (first.empty()) first = found;
    check(found == first, "equal bytes on " + std::to_string(threads) + " threads");
  }
}

// The bits of a value that a half holds exactly.
uint16_t half_of(double value) {
  if (value == 0) return 0;
  int exponent = 0;
  const double fraction = std::frexp(std::fabs(value), &exponent);  // in [0.5, 1)
  return static_cast<uint16_t>((value < 0 ? 0x8000 : 0) | (exponent + 14) << 10 |
                               static_cast<int>((fraction * 2 - 1) * 1024));
}

void test_file_and_edges(const TemporaryFolder& folder) {
  for (int bits = 0; bits < 0x7C00; ++bits) {
    const int e = bits >> 10, m = bits & 1023;
    const double value = e == 0 ? m * 0x1p-24 : std::ldexp(1 + m / 1024.0, e - 15);
    if (half_to_float(static_cast<uint16_t>(bits)) != value ||
        half_to_float(static_cast<uint16_t>(bits | 0x8000)) != -value)
      return check(false, "half " + std::to_string(bits));
  }
  check(half_to_float(half_of(-2.375)) == -2.375f && std::isinf(half_to_float(0x7C00)), "halves");

  const int h = 9, w = 11;
  std::vector<double> field;  // two fields of u and v in eighths of a pixel, with strong edges
  for (int i = 0; i < 2 * h * w * 2; ++i) field.push_back(((i * 7919) % 81 - 40) / (i % 3 == 0 ? 8.0 : 64.0));
  std::vector<uint8_t> bytes(10, 1);
  for (const double x : field) {
    const uint16_t half = half_of(x);
    bytes.push_back(static_cast<uint8_t>(half & 255));
    bytes.push_back(static_cast<uint8_t>(half >> 8));
  }
  const std::string path = folder.file("clip.flow");
  write_bytes(path, bytes);
  const auto plan = [&](const std::string& modality, int frames) {
    // The source is not there: no picture is needed.
    Value::Object clip = motion_clip_plan(modality, file_source(folder.file("absent.mp4")), h, w, 2);
    clip["flow"] = Value(Value::Object{
        {"path", path}, {"offset", 10}, {"frames", frames}, {"height", h}, {"width", w}, {"fps", 10}});
    return clip;
  };
  const LoadResult flow = load_once(batch_plan({{Value(plan("flow", 2))}}));
  const LoadResult edges = load_once(batch_plan({{Value(plan("flow-edges", 2))}}));
  check(flow.failures.empty() && edges.failures.empty(), "flow from a file");
  const auto uv = floats(*flow.batch), found = floats(*edges.batch);
  double worst = 0, worst_edge = 0;
  bool clamped = false;
  for (int t = 0; t < 2; ++t) {
    const auto at = [&](int y, int x, int c) {
      return field[((t * h + std::clamp(y, 0, h - 1)) * w + std::clamp(x, 0, w - 1)) * 2 + c];
    };
    for (int y = 0; y < h; ++y)
      for (int x = 0; x < w; ++x) {
        const size_t i = ((static_cast<size_t>(t) * h + y) * w + x) * 3;
        worst = worse(worst, std::fabs(uv[i] - at(y, x, 0)) + std::fabs(uv[i + 1] - at(y, x, 1)));
        double sum = 0;
        for (int c = 0; c < 2; ++c) {
          double dx = 0, dy = 0;
          for (int k = -1; k <= 1; ++k) {
            dx += (k == 0 ? 2 : 1) * (at(y + k, x + 1, c) - at(y + k, x - 1, c));
            dy += (k == 0 ? 2 : 1) * (at(y + 1, x + k, c) - at(y - 1, x + k, c));
          }
          sum += dx * dx + dy * dy;
        }
        const double expected = std::min(std::sqrt(sum), 10.0) / 10;
        clamped = clamped || expected == 1;
        for (int c = 0; c < 3; ++c) worst_edge = worse(worst_edge, std::fabs(found[i + c] - expected));
      }
  }
  check(worst < 1e-6, "the file's flow, off by " + std::to_string(worst));
  check(worst_edge < 1e-6 && clamped, "flow edges equal their formula, off by " + std::to_string(worst_edge));
  Value::Object late = plan("flow", 3);
  late["times"] = list({0.05, 0.25});
  late["next"] = list({0.15, 0.35});
  const LoadResult cut = load_once(batch_plan({{Value(late)}}));
  check(cut.failures.size() == 1 && cut.failures[0].reason.find("ends before") != std::string::npos,
        "a cut file of flow");
  // The file has the flow of neighbours and no other.
  for (const std::string modality : {"flow", "flow-edges"}) {
    for (const double next : {0.35, 0.05, 5.0, -0.04}) {
      Value::Object lagged = plan(modality, 2);
      lagged["times"] = list({0.05, 0.15});
      lagged["next"] = list({0.15, next});
      check_throws("ERR_VSSL_INVALID_ARGUMENT", "next[1]", [&] { load_once(batch_plan({{Value(lagged)}})); });
    }
    Value::Object skipped = plan(modality, 2);
    skipped["times"] = list({0.05, 0.05});
    skipped["next"] = list({0.25, 0.25});
    check_throws("ERR_VSSL_INVALID_ARGUMENT", "next[0]", [&] { load_once(batch_plan({{Value(skipped)}})); });
    // A picture does not move towards itself.
    Value::Object still = plan(modality, 2);
    still["next"] = still["times"];
    const std::vector<float> nothing = floats(*load_once(batch_plan({{Value(still)}})).batch);
    check(std::all_of(nothing.begin(), nothing.end(), [](float v) { return v == 0; }),
          modality + " of a picture with itself");
  }
}

void test_errors() {
  const Value source = file_source("a.mp4");
  const auto refuses = [&](const std::string& part, const std::string& key, const Value& value) {
    Value::Object clip = motion_clip_plan("difference", source, 8, 8);
    clip[key] = value;
    check_throws("ERR_VSSL_INVALID_ARGUMENT", part, [&] { load_once(batch_plan({{Value(clip)}})); });
  };
  refuses("modality", "modality", Value("depth"));
  refuses("next", "next", Value());
  refuses("next", "next", list({0.1}));
  refuses("input", "input", Value("difference"));
  Value::Object gray = plain_augment();
  gray["gray"] = Value(true);
  refuses("augment", "augment", Value(Value::Array{Value(gray)}));
  refuses("next", "next", list({0, 1, 2, std::nan("")}));
}

void test_without() {
  // Where OpenCV is not there the plan fails, not one file after another.
  check(!flow_fault().empty(), "why there is no flow");
  check_throws("ERR_VSSL_NO_FLOW", "libopencv-video-dev", [] {
    load_once(batch_plan({{Value(motion_clip_plan("flow", file_source("a.mp4"), 32, 32))}}));
  });
}

void test_small() {
  Loader loader({1, 0});
  const auto rgb = moving_texture(1, 1, 12, 40);
  const Value source = memory_source(loader.add_memory_clip(rgb.data(), kT, 12, 40));
  const LoadResult r = load(loader, batch_plan({{Value(motion_clip_plan("flow", source, 8, 8))}}));
  check(r.failures.size() == 1 && r.failures[0].reason.find("at least 16") != std::string::npos,
        "pictures too small for flow are a failure of their clip");
  for (const auto& [h, w] : {std::pair{16, 16}, std::pair{16, 90}, std::pair{33, 17}}) {
    const auto odd = moving_texture(1, 0, h, w);
    const Value clip = memory_source(loader.add_memory_clip(odd.data(), kT, h, w));
    check(load(loader, batch_plan({{Value(motion_clip_plan("flow", clip, 8, 8))}})).failures.empty(),
          "flow of pictures of " + std::to_string(h) + " x " + std::to_string(w));
  }
}

}  // namespace
}  // namespace vssl::video

int main() {
  using namespace vssl::video;
  const TemporaryFolder folder;
  size_t skipped = 0;
  test_difference();
  test_file_and_edges(folder);
  test_errors();
  if (flow_version().empty()) {
    std::printf("no optical flow: %s\n", flow_fault().c_str());
    test_without();
    skipped = 3;
  } else {
    test_translation();
    test_equal_bytes();
    test_small();
  }
  return vssl::finish(skipped);
}
