// The augmentation pass against its slow twin, on every instruction set: hostile sizes, every operation,
// every input kind. Also the picture's own work: shrinking, turning, pixel formats by hand.
#pragma once

#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "../video/augment.h"
#include "../video/packed.h"
#include "video_reference.h"
#include "video_testing.h"

namespace vssl::video {

struct PictureShape {
  int width, height, log2_x, log2_y;  // chroma subsampling
  ColorModel model;
  bool full_range;
};

inline PicturePtr random_picture(const PictureShape& shape, std::mt19937& random) {
  auto picture = std::make_shared<Picture>();
  picture->model = shape.model;
  picture->full_range = shape.full_range;
  std::vector<std::vector<uint8_t>> samples(3);
  PlaneView views[3];
  const int planes = shape.model == ColorModel::kGray ? 1 : 3;
  for (int p = 0; p < planes; ++p) {
    const bool chroma = p > 0 && shape.model == ColorModel::kYuv;
    const int sx = chroma ? shape.log2_x : 0, sy = chroma ? shape.log2_y : 0;
    PlaneView& v = views[p];
    v.width = (shape.width + (1 << sx) - 1) >> sx;
    v.height = (shape.height + (1 << sy) - 1) >> sy;
    v.extent_x = static_cast<double>(shape.width) / (1 << sx);
    v.extent_y = static_cast<double>(shape.height) / (1 << sy);
    samples[p].resize(static_cast<size_t>(v.width) * v.height);
    for (uint8_t& s : samples[p]) s = static_cast<uint8_t>(chroma ? 64 + random() % 128 : random());
    v.data = samples[p].data();
    v.stride = v.width;
  }
  set_planes(*picture, views, planes, {}, 1);
  return picture;
}

inline double uniform(std::mt19937& random, double lo, double hi) {
  return std::uniform_real_distribution<double>(lo, hi)(random);
}

inline FrameAugment random_augment(std::mt19937& random, bool colors, bool extras) {
  FrameAugment a;
  const double w = uniform(random, 0.3, 1), h = uniform(random, 0.3, 1);
  a.x0 = uniform(random, 0, 1 - w), a.y0 = uniform(random, 0, 1 - h);
  a.x1 = a.x0 + w, a.y1 = a.y0 + h;
  a.flip = random() & 1;
  if (colors) {
    a.color = {{ColorKind::kBrightness, static_cast<float>(uniform(random, 0.2, 1.8))},
               {ColorKind::kContrast, static_cast<float>(uniform(random, 0.2, 1.8))},
               {ColorKind::kSaturation, static_cast<float>(uniform(random, 0, 1.8))},
               {ColorKind::kHue, static_cast<float>(uniform(random, -0.5, 0.5))}};
    std::shuffle(a.color.begin(), a.color.end(), random);
  }
  if (extras) {
    a.gray = random() % 4 == 0;
    a.blur = uniform(random, 0.1, 2);
    a.blur_radius = static_cast<int>(random() % 6);
    a.solarizes = random() & 1;
    a.solarize = 0.5f;
  }
  return a;
}

// Colour operations may multiply rounding by 1.8 four times over, and 1 / std by 4: 3e-7 * 10 * 4 and some.
constexpr double kPassTolerance = 5e-5;

inline void compare_pass(const std::string& name, const std::vector<PicturePtr>& pictures,
                         const ClipPlan& plan) {
  std::vector<bool> doubtful;
  const std::vector<double> expected = reference::augment(pictures, plan, &doubtful);
  const size_t per_frame = expected.size() / plan.times.size();
  std::vector<float> first;
  for (const char* isa : {"portable", "avx2", "avx512"}) {
    const RowOps* ops = row_ops_named(isa);
    if (!ops) continue;
    std::vector<float> out(expected.size() + 16, -77.0f);
    AugmentScratch scratch;
    augment_clip(out.data(), pictures, plan, scratch, *ops);
    check(std::count(out.end() - 16, out.end(), -77.0f) == 16, name + ": writes past its clip, " + isa);
    out.resize(expected.size());
    double worst = 0;
    for (size_t i = 0; i < expected.size(); ++i) {
      bool skip = doubtful[i];
      const bool mixes = plan.input != InputKind::kRgb || plan.blend;
      for (size_t t = i % per_frame; mixes && t < expected.size(); t += per_frame) {
        skip = skip || doubtful[t];
      }
      if (!skip) worst = worse(worst, std::fabs(out[i] - expected[i]));
      if (std::isnan(out[i])) worst = 1e9;
    }
    check(worst <= kPassTolerance, name + ": off by " + std::to_string(worst) + " with " + isa);
    if (first.empty()) first = out;
    check(std::memcmp(first.data(), out.data(), out.size() * sizeof(float)) == 0,
          name + ": other bits with " + isa + " than with the portable path");
  }
  // Packed and made elsewhere.
  std::vector<uint8_t> room;
  std::vector<float> made(expected.size());
  make_clip(made.data(), pack_clip(pictures, plan, room).block.get());
  int64_t other = 0;
  for (size_t i = 0; i < made.size(); ++i) other += made[i] != first[i];
  check(other == 0, name + ": packed, " + std::to_string(other) + " values are others");
}

inline ClipPlan pass_plan(int frames, int height, int width) {
  ClipPlan plan;
  plan.times.assign(static_cast<size_t>(frames), 0);
  plan.height = height;
  plan.width = width;
  plan.augment.resize(1);
  const float mean[3] = {0.45f, 0.5f, 0.4f}, std[3] = {0.25f, 0.3f, 0.28f};
  std::copy(mean, mean + 3, plan.mean);
  std::copy(std, std + 3, plan.std);
  return plan;
}

inline void test_pass_sizes() {
  std::mt19937 random(1);
  const PictureShape shapes[] = {
      {1, 1, 1, 1, ColorModel::kYuv, false},    {2, 3, 1, 1, ColorModel::kYuv, true},
      {7, 1, 1, 0, ColorModel::kYuv, false},    {33, 17, 1, 1, ColorModel::kYuv, false},
      {161, 121, 0, 0, ColorModel::kYuv, true}, {64, 48, 2, 0, ColorModel::kYuv, false},
      {40, 30, 0, 0, ColorModel::kRgb, true},   {31, 9, 0, 0, ColorModel::kGray, false},
      {300, 200, 1, 1, ColorModel::kYuv, false}};
  for (const PictureShape& shape : shapes) {
    for (const auto& [h, w] :
         std::vector<std::pair<int, int>>{{1, 1}, {2, 3}, {5, 15}, {16, 16}, {9, 17}, {12, 33}, {20, 64}}) {
      ClipPlan plan = pass_plan(2, h, w);
      const std::vector<PicturePtr> pictures = {random_picture(shape, random), random_picture(shape, random)};
      const std::string name = std::to_string(shape.width) + "x" + std::to_string(shape.height) + " to " +
                               std::to_string(w) + "x" + std::to_string(h);
      compare_pass(name + " plain", pictures, plan);
      plan.augment[0] = random_augment(random, true, true);
      compare_pass(name + " all", pictures, plan);
    }
  }
}

inline void test_pass_operations() {
  std::mt19937 random(2);
  const PictureShape shape{60, 44, 1, 1, ColorModel::kYuv, false};
  std::vector<PicturePtr> pictures;
  for (int t = 0; t < 4; ++t) pictures.push_back(random_picture(shape, random));
  const auto try_one = [&](const std::string& name, const FrameAugment& a) {
    ClipPlan plan = pass_plan(4, 24, 32);
    plan.augment = {a};
    for (const InputKind input : {InputKind::kRgb, InputKind::kTemporalMeanRemoved, InputKind::kDifference}) {
      plan.input = input;
      compare_pass(name + " input " + std::to_string(static_cast<int>(input)), pictures, plan);
    }
  };
  FrameAugment a;
  try_one("nothing", a);
  a.flip = true;
  try_one("flip", a);
  a.flip = false;
  for (const ColorKind kind : {ColorKind::kBrightness, ColorKind::kContrast, ColorKind::kSaturation}) {
    for (const float value : {0.0f, 0.3f, 1.0f, 1.8f}) {
      a.color = {{kind, value}};
      try_one("color " + std::to_string(static_cast<int>(kind)) + " " + std::to_string(value), a);
    }
  }
  for (const float turn : {-1.0f, -0.5f, -0.2f, 0.0f, 0.1f, 1.0f / 3, 0.5f, 1.0f}) {
    a.color = {{ColorKind::kHue, turn}};
    try_one("hue " + std::to_string(turn), a);
  }
  a.color = {{ColorKind::kContrast, 0.5f}, {ColorKind::kBrightness, 1.5f}, {ColorKind::kContrast, 1.7f}};
  try_one("contrast twice", a);
  a.color.clear();
  for (const int radius : {1, 2, 11, 30}) {
    a.blur = 1.3;
    a.blur_radius = radius;
    try_one("blur " + std::to_string(radius), a);
  }
  a = FrameAugment();
  a.gray = true;
  try_one("gray", a);
  a.solarizes = true;
  a.solarize = 0.4f;
  try_one("gray, solarize", a);
  ClipPlan plan = pass_plan(4, 24, 32);
  for (int round = 0; round < 20; ++round) {  // one parameter set per frame
    plan.augment.clear();
    for (int t = 0; t < 4; ++t) plan.augment.push_back(random_augment(random, true, true));
    plan.input = static_cast<InputKind>(round % 3);
    compare_pass("per frame " + std::to_string(round), pictures, plan);
  }
  for (const float still : {0.0f, 0.3f, 1.0f}) {
    for (const float mean : {0.0f, 0.45f, 1.0f}) {
      plan = pass_plan(4, 24, 32);
      plan.augment[0] = random_augment(random, true, true);
      plan.blend = Blend{still, mean, 2};
      compare_pass("blend " + std::to_string(still) + " " + std::to_string(mean), pictures, plan);
    }
  }
  plan = pass_plan(1, 8, 8);
  plan.input = InputKind::kDifference;
  compare_pass("difference of one frame", {pictures[0]}, plan);
}

inline void test_planes() {
  // 3 x 2 samples "abc / def": turned clockwise by 90 degrees they read "da / eb / fc".
  const std::vector<uint8_t> samples = {'a', 'b', 'c', 'd', 'e', 'f'};
  const PlaneView view{samples.data(), 3, 1, 3, 2, 3, 2};
  const std::pair<Orientation, std::string> turns[] = {
      {{0, false}, "abcdef"}, {{90, false}, "daebfc"}, {{180, false}, "fedcba"}, {{270, false}, "cfbead"},
      {{0, true}, "cbafed"},  {{90, true}, "fcebda"},  {{180, true}, "defabc"},  {{270, true}, "adbecf"}};
  for (const auto& [orientation, expected] : turns) {
    Picture p;
    set_planes(p, &view, 1, orientation, 1);
    const std::string name =
        std::to_string(orientation.rotation) + (orientation.mirror ? " after a mirror" : "");
    check(std::string(p.samples.begin(), p.samples.begin() + 6) == expected, "turn by " + name);
    const bool swaps = orientation.rotation % 180 != 0;
    check(p.plane[0].width == (swaps ? 2 : 3) && p.plane[0].extent_y == (swaps ? 3 : 2),
          "size after a turn by " + name);
  }
  std::mt19937 random(3);
  for (const int shrink : {2, 3, 4, 5, 16, 64}) {
    for (const auto& [w, h] : std::vector<std::pair<int, int>>{{1, 1}, {5, 7}, {64, 48}, {67, 131}}) {
      std::vector<uint8_t> in(static_cast<size_t>(w) * h);
      for (uint8_t& s : in) s = static_cast<uint8_t>(random());
      const PlaneView v{in.data(), w, 1, w, h, static_cast<double>(w), static_cast<double>(h)};
      Picture p;
      set_planes(p, &v, 1, {}, shrink);
      bool same =
          p.plane[0].width == (w + shrink - 1) / shrink && p.plane[0].height == (h + shrink - 1) / shrink;
      for (int y = 0; same && y < p.plane[0].height; ++y) {
        for (int x = 0; x < p.plane[0].width; ++x) {
          int sum = 0, count = 0;
          for (int yy = y * shrink; yy < std::min(h, (y + 1) * shrink); ++yy) {
            for (int xx = x * shrink; xx < std::min(w, (x + 1) * shrink); ++xx, ++count)
              sum += in[yy * w + xx];
          }
          same = same && p.row(0, y)[x] == (sum + count / 2) / count;
        }
      }
      check(same,
            "box mean by " + std::to_string(shrink) + " of " + std::to_string(w) + "x" + std::to_string(h));
    }
  }
}

}  // namespace vssl::video
