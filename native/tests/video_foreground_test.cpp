// The mask of a clip's foreground against its slow twin, what is laid under a clip, and whose pictures that
// are.
#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <tuple>

#include "../video/augment.h"
#include "video_pass_checks.h"
#include "video_testing.h"

namespace vssl::video {
namespace {

using Frames = std::vector<std::vector<float>>;  // of each frame planes R, G, B

// Twin: every formula of docs/methods/fame.md as it stands there, in double precision, nothing in a hurry.
class Twin {
 public:
  Twin(const Frames& frames, int h, int w) : frames_(frames), h_(h), w_(w), area_(h * w) {}

  std::vector<int> mask(double share, bool refined) const {
    std::vector<double> map = blur(motion());
    if (refined) {
      map = colors(map);
      if (map.empty()) return {};
      map = blur(map);
    }
    std::vector<int> mask = largest(map, static_cast<int>(share * area_));
    if (std::count(mask.begin(), mask.end(), 1) == 0) mask.clear();
    return mask;
  }

 private:
  double byte(size_t t, int c, int i) const { return std::floor(frames_[t][c * area_ + i] * 255.0f + 0.5f); }

  std::vector<double> motion() const {
    std::vector<double> d(area_, 0);
    for (size_t t = 1; t < frames_.size(); ++t)
      for (int c = 0; c < 3; ++c)
        for (int i = 0; i < area_; ++i) d[i] += std::fabs(byte(t, c, i) - byte(t - 1, c, i));
    return d;
  }

  // In two dimensions at once, weights in whole parts of 4096 along each.
  std::vector<double> blur(const std::vector<double>& x) const {
    const int r = std::max(1, std::min(h_, w_) / 20);
    const double sigma = (2 * r + 1) / 3.0;
    std::vector<double> taps(2 * r + 1);
    double sum = 0;
    for (int k = -r; k <= r; ++k) sum += taps[k + r] = std::exp(-0.5 * k * k / (sigma * sigma));
    double sides = 0;
    for (int k = -r; k <= r; ++k) {
      if (k != 0) sides += taps[k + r] = std::floor(taps[k + r] / sum * 4096 + 0.5);
    }
    taps[r] = 4096 - sides;
    std::vector<double> out(area_, 0);
    for (int y = 0; y < h_; ++y)
      for (int x0 = 0; x0 < w_; ++x0)
        for (int i = -r; i <= r; ++i)
          for (int j = -r; j <= r; ++j)
            out[y * w_ + x0] += taps[i + r] * taps[j + r] *
                                x[std::clamp(y + i, 0, h_ - 1) * w_ + std::clamp(x0 + j, 0, w_ - 1)];
    return out;
  }

  // The k largest; those that are equal to the next one are left out.
  std::vector<int> largest(const std::vector<double>& x, int k) const {
    std::vector<double> order = x;
    std::sort(order.begin(), order.end(), std::greater<>());
    std::vector<int> out(area_);
    const double limit = order[std::min(k, area_ - 1)];
    for (int i = 0; i < area_; ++i) out[i] = x[i] > limit;
    return out;
  }

  std::tuple<int, int, int> bin(int i) const {
    double c[3] = {0, 0, 0};
    for (size_t t = 0; t < frames_.size(); ++t)
      for (int k = 0; k < 3; ++k) c[k] += byte(t, k, i);
    const double value = std::max({c[0], c[1], c[2]});
    const auto at = [](double from0to1) { return std::min(9, static_cast<int>(std::floor(10 * from0to1))); };
    if (value == 0) return {5, 5, 0};
    return {at((2 * c[0] - c[1] - c[2] + 2 * value) / (4 * value)), at((c[1] - c[2] + value) / (2 * value)),
            at(value / (255.0 * frames_.size()))};
  }

  std::vector<double> colors(const std::vector<double>& motion) const {
    const std::vector<int> front = largest(motion, area_ / 2);
    if (std::count(front.begin(), front.end(), 1) == 0) return {};
    std::vector<double> order = motion;
    std::sort(order.begin(), order.end());
    const double rests = order[std::max(1, area_ / 10) - 1];
    std::map<std::tuple<int, int, int>, double> f, b;
    for (int i = 0; i < area_; ++i) {
      if (front[i]) ++f[bin(i)];
      if (motion[i] <= rests) ++b[bin(i)];
    }
    std::vector<double> p(area_);
    for (int i = 0; i < area_; ++i) p[i] = std::floor(4096 * f[bin(i)] / (f[bin(i)] + b[bin(i)] + 1));
    return p;
  }

  const Frames& frames_;
  const int h_, w_, area_;
};

// A block of its own colour that moves over a still background of another, with some noise.
Frames moving_block(int frames, int h, int w, std::mt19937& random, double noise) {
  Frames all;
  std::vector<float> still(3 * h * w);
  for (float& x : still) x = static_cast<float>(uniform(random, 0.1, 0.5));
  for (int t = 0; t < frames; ++t) {
    std::vector<float> frame = still;
    for (int y = 0; y < h; ++y) {
      for (int x = 0; x < w; ++x) {
        const bool block = y >= h / 4 && y < h / 2 && x >= w / 8 + t && x < w / 8 + t + w / 4;
        for (int c = 0; c < 3; ++c) {
          float& v = frame[(c * h + y) * w + x];
          if (block) v = c == 0 ? 0.9f : 0.1f;
          v = std::clamp(v + static_cast<float>(uniform(random, -noise, noise)), 0.0f, 1.0f);
        }
      }
    }
    all.push_back(frame);
  }
  return all;
}

std::vector<int> mask_of(const Frames& frames, int h, int w, double share, bool refined,
                         const RowOps& ops = row_ops()) {
  ForegroundScratch scratch;
  Foreground foreground(h, w, scratch, ops);
  for (const auto& frame : frames) foreground.add(frame.data());
  const int32_t* mask = foreground.find(share, refined);
  return mask ? std::vector<int>(mask, mask + h * w) : std::vector<int>();
}

void test_masks() {
  std::mt19937 random(5);
  const std::vector<std::tuple<int, int, int, double>> cases = {
      {8, 32, 32, 0},  {8, 64, 64, 0.02}, {5, 47, 61, 0.1}, {2, 20, 33, 0.5},
      {16, 3, 5, 0.3}, {3, 1, 1, 0.4},    {1, 16, 16, 0.2}, {40, 24, 24, 0.05}};
  for (const auto& [t, h, w, noise] : cases) {
    const Frames frames = moving_block(t, h, w, random, noise);
    for (const double share : {0.05, 0.3, 0.5, 0.9}) {
      for (const bool refined : {true, false}) {
        const std::string name = "mask of " + std::to_string(t) + " x " + std::to_string(h) + " x " +
                                 std::to_string(w) + ", " + std::to_string(share) +
                                 (refined ? ", refined" : "");
        const std::vector<int> twin = Twin(frames, h, w).mask(share, refined);
        for (const char* isa : {"portable", "avx2", "avx512"}) {
          const RowOps* ops = row_ops_named(isa);
          if (ops) check(mask_of(frames, h, w, share, refined, *ops) == twin, name + ", " + isa);
        }
        const auto pixels = std::count(twin.begin(), twin.end(), 1);
        check(pixels <= share * h * w, name + ": " + std::to_string(pixels) + " pixels");
      }
    }
  }
}

void test_meaning() {
  std::mt19937 random(7);
  const int h = 64, w = 64, frames = 8;
  Frames clip = moving_block(frames, h, w, random, 0);
  for (auto& frame : clip)
    for (float& v : frame)
      if (v < 0.85f && v != 0.1f) v = 0.3f;  // an even background
  const std::vector<int> mask = mask_of(clip, h, w, 0.5, true);
  int inside = 0, of_block = 0;
  for (int y = h / 4; y < h / 2; ++y)
    for (int x = w / 8 + frames / 2; x < w / 8 + w / 4 + frames / 2; ++x, ++of_block)
      inside += mask[y * w + x];
  check(inside > 0.95 * of_block, "the block is foreground: " + std::to_string(inside));
  int corner = 0;
  for (int y = h - 12; y < h; ++y)
    for (int x = w - 12; x < w; ++x) corner += mask[y * w + x];
  check(corner == 0, "a far corner is none: " + std::to_string(corner));
  check(mask_of(Frames(6, clip[0]), h, w, 0.5, true).empty(), "nothing moves: no mask");
  check(mask_of(Frames(6, clip[0]), h, w, 0.5, false).empty(), "nothing moves: no mask by differences");
}

// Clips in memory whose background is still and of one gray level, with a bright block that moves.
class BlockClips {
 public:
  static constexpr int kFrames = 4, kSide = 32;
  explicit BlockClips(Loader& loader) : loader_(loader) {}

  Value source(uint8_t level) {
    std::vector<uint8_t> rgb(static_cast<size_t>(kFrames) * kSide * kSide * 3, level);
    for (int t = 0; t < kFrames; ++t)
      for (int y = 8; y < 16; ++y)
        for (int x = 4 + 4 * t; x < 12 + 4 * t; ++x)
          for (int c = 0; c < 3; ++c) rgb[((static_cast<size_t>(t) * kSide + y) * kSide + x) * 3 + c] = 255;
    const int64_t id = loader_.add_memory_clip(rgb.data(), kFrames, kSide, kSide);
    return Value(Value::Object{{"kind", Value("memory")}, {"id", Value(id)}, {"fps", Value(1)}});
  }

  static Value::Object under(const Value& source) {
    return {{"source", source},        {"times", list({0.5, 1.5, 2.5, 3.5})},
            {"shrink", Value(1)},      {"crop", list({0, 0, 1, 1})},
            {"flip", Value(false)},    {"share", Value(0.5)},
            {"mask", Value("refined")}};
  }

  static Value::Object clip(const Value& source) {
    return plain_clip(source, {0.5, 1.5, 2.5, 3.5}, kSide, kSide);
  }

  static Value on(const Value& source, const Value& background) {
    Value::Object o = clip(source);
    o["background"] = Value(under(background));
    return Value(o);
  }

 private:
  Loader& loader_;
};

int level_at(const ViewBuffer& view, int64_t row, int frame, int y, int x) {
  const int s = BlockClips::kSide;
  return static_cast<int>(
      std::lround(255 * view.floats()[row * view.row_values() + ((frame * s + y) * s + x) * 3]));
}

void test_layers() {
  for (const int threads : {1, 3}) {
    LoaderOptions options;
    options.threads = threads;
    options.packs = true;  // what has a background is made all the same
    Loader loader(options);
    BlockClips clips(loader);
    std::vector<Value> sources;
    for (const int level : {20, 60, 100, 140}) sources.push_back(clips.source(static_cast<uint8_t>(level)));
    std::vector<Value> ring, plain;
    for (int i = 0; i < 4; ++i) {
      ring.push_back(BlockClips::on(sources[i], sources[(i + 3) % 4]));
      plain.push_back(Value(BlockClips::clip(sources[i])));
    }
    const LoadResult result = load(loader, batch_plan({ring, plain}));
    check(result.failures.empty(), "layers: no failure");
    for (int i = 0; i < 4; ++i) {
      const ViewBuffer& laid = result.batch->views[0];
      check(level_at(laid, i, 1, 30, 30) == 20 + 40 * ((i + 3) % 4),
            "the clip before lies under " + std::to_string(i));
      check(level_at(laid, i, 1, 12, 12) == 255, "the block stays " + std::to_string(i));
    }
    // A background of its own, whatever the batch has beside it, gives the same bits.
    for (int i = 0; i < 4; ++i) {
      const LoadResult alone = load(loader, batch_plan({{ring[i]}}));
      const ViewBuffer& laid = result.batch->views[0];
      check(std::memcmp(alone.batch->views[0].row(0), laid.row(i), laid.row_bytes()) == 0,
            "alone as in the batch: " + std::to_string(i));
    }
  }
}

void test_lost_background() {
  Loader loader(LoaderOptions{});
  BlockClips clips(loader);
  const Value good = clips.source(60), other = clips.source(90);
  const Value lost = Value(Value::Object{{"kind", Value("memory")}, {"id", Value(999)}, {"fps", Value(1)}});
  const LoadResult result = load(
      loader,
      batch_plan({{BlockClips::on(good, lost), BlockClips::on(other, good), BlockClips::on(lost, other)}}));
  check(result.failures.size() == 1 && result.failures[0].sample == 2, "the lost clip alone fails");
  const ViewBuffer& laid = result.batch->views[0];
  check(level_at(laid, 0, 1, 30, 30) == 60, "its own background stays");
  check(level_at(laid, 1, 1, 30, 30) == 60, "another one is laid under");
}

void test_refusals() {
  Loader loader(LoaderOptions{});
  BlockClips clips(loader);
  const Value source = clips.source(60);
  const auto refused = [&](const std::string& key, const Value& value, const std::string& part) {
    Value::Object background = BlockClips::under(source), clip = BlockClips::clip(source);
    background[key] = value;
    clip["background"] = Value(background);
    check_throws("ERR_VSSL_INVALID_ARGUMENT", part, [&] { parse_clip(Value(clip), "clip"); });
  };
  refused("share", Value(1.0), "above 0 and below 1 for clip.background.share");
  refused("mask", Value("best"), "refined or difference for clip.background.mask");
  refused("times", list({0.5}), "one time for each of the clip's (4) for clip.background.times");
  refused("crop", list({0, 0, 2, 1}), "clip.background.crop");
}

// Laid under, then coloured: contrast about the mean of the whole clip, and a plain clip beside it.
void test_colour_after() {
  Loader loader(LoaderOptions{});
  BlockClips clips(loader);
  const Value front = clips.source(60), back = clips.source(180);
  Value::Object augment = plain_augment(), clip = BlockClips::on(front, back).as_object("clip");
  augment["color"] = Value(Value::Array{color_op("contrast", 0.5), color_op("brightness", 0.5)});
  clip["augment"] = Value(Value::Array{Value(augment)});
  const LoadResult laid = load(loader, batch_plan({{BlockClips::on(front, back)}}));
  const LoadResult coloured = load(loader, batch_plan({{Value(clip)}}));
  const std::vector<float> x = floats(*laid.batch), y = floats(*coloured.batch);
  double mean = 0, worst = 0;
  for (const float v : x) mean += v / static_cast<double>(x.size());
  for (size_t i = 0; i < x.size(); ++i)
    worst = worse(worst, std::fabs(y[i] - 0.5 * (0.5 * (x[i] - mean) + mean)));
  check_at_most(worst, 1e-6, "colour is changed after the background is laid under");
}

}  // namespace
}  // namespace vssl::video

int main() {
  using namespace vssl::video;
  test_masks();
  test_meaning();
  test_layers();
  test_lost_background();
  test_refusals();
  test_colour_after();
  return vssl::finish();
}
