#include "sprite.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>

#include "convert.h"
#include "first_picture.h"
#include "index.h"
#include "video.h"

namespace vssl::video {

namespace {

// Textures kept; beyond, all are dropped and made anew.
constexpr size_t kMostKept = 1024;

struct Box {
  double x0, y0, side;  // square part of the picture, may reach beyond it
};

// The square that becomes the sprite.
Box sprite_box(const uint8_t* rgba, int h, int w) {
  int left = w, right = -1, top = h, bottom = -1;
  bool has_alpha = false;
  for (int y = 0; y < h; ++y) {
    for (int x = 0; x < w; ++x) {
      const uint8_t alpha = rgba[(static_cast<size_t>(y) * w + x) * 4 + 3];
      has_alpha = has_alpha || alpha < 255;
      if (alpha == 0) continue;
      left = std::min(left, x), right = std::max(right, x);
      top = std::min(top, y), bottom = std::max(bottom, y);
    }
  }
  if (right < 0) throw Error("ERR_VSSL_VIDEO_DECODE", "every pixel is transparent; a sprite must be seen");
  const double side = has_alpha ? std::max(right - left + 1, bottom - top + 1) : std::min(w, h);
  const double cx = has_alpha ? (left + right + 1) / 2.0 : w / 2.0;
  const double cy = has_alpha ? (top + bottom + 1) / 2.0 : h / 2.0;
  return {cx - side / 2, cy - side / 2, side};
}

// Calls add(i, weight) for the samples under [from, to), weights summing to 1; samples outside [0, count) are
// left out and count as transparent.
template <typename Add>
void cover(double from, double to, int count, const Add& add) {
  const int first = std::max(0, static_cast<int>(std::floor(from)));
  for (int i = first; i < std::min(count, static_cast<int>(std::ceil(to))); ++i) {
    const double part = std::min<double>(i + 1, to) - std::max<double>(i, from);
    if (part > 0) add(i, part / (to - from));
  }
}

SpriteTexture::Level halve(const SpriteTexture::Level& big) {
  SpriteTexture::Level out;
  out.side = big.side / 2;
  out.rgba.resize(static_cast<size_t>(out.side) * out.side * 4);
  const auto at = [&](int x, int y) { return (static_cast<size_t>(y) * big.side + x) * 4; };
  for (int y = 0; y < out.side; ++y) {
    for (int x = 0; x < out.side; ++x) {
      for (int c = 0; c < 4; ++c) {
        out.rgba[(static_cast<size_t>(y) * out.side + x) * 4 + c] =
            (big.rgba[at(2 * x, 2 * y) + c] + big.rgba[at(2 * x + 1, 2 * y) + c] +
             big.rgba[at(2 * x, 2 * y + 1) + c] + big.rgba[at(2 * x + 1, 2 * y + 1) + c]) /
            4;
      }
    }
  }
  return out;
}

void add_level(double out[4], const SpriteTexture::Level& level, double u, double v, double weight) {
  const double x = u * level.side - 0.5, y = v * level.side - 0.5;
  const int x0 = static_cast<int>(std::floor(x)), y0 = static_cast<int>(std::floor(y));
  for (int dy = 0; dy < 2; ++dy) {
    for (int dx = 0; dx < 2; ++dx) {
      const int tx = x0 + dx, ty = y0 + dy;
      if (tx < 0 || ty < 0 || tx >= level.side || ty >= level.side) continue;
      const double share = weight * (dx ? x - x0 : x0 + 1 - x) * (dy ? y - y0 : y0 + 1 - y);
      for (int c = 0; c < 4; ++c)
        out[c] += share * level.rgba[(static_cast<size_t>(ty) * level.side + tx) * 4 + c];
    }
  }
}

}  // namespace

void SpriteTexture::sample(double out[4], double u, double v, double texels) const {
  std::fill(out, out + 4, 0.0);
  const double depth = std::min(std::log2(std::max(texels, 1.0)), static_cast<double>(levels.size() - 1));
  const size_t upper = static_cast<size_t>(depth);
  const double below = depth - static_cast<double>(upper);
  add_level(out, levels[upper], u, v, 1 - below);
  if (below > 0) add_level(out, levels[upper + 1], u, v, below);
}

SpriteTexture make_sprite(const uint8_t* rgba, int h, int w) {
  const Box box = sprite_box(rgba, h, w);
  const double step = box.side / kSpriteSide;
  // Mean over each texel's part of the picture, first along x, then along y.
  std::vector<double> rows(static_cast<size_t>(h) * kSpriteSide * 4);
  for (int y = 0; y < h; ++y) {
    for (int x = 0; x < kSpriteSide; ++x) {
      double* const to = &rows[(static_cast<size_t>(y) * kSpriteSide + x) * 4];
      cover(box.x0 + x * step, box.x0 + (x + 1) * step, w, [&](int i, double weight) {
        const uint8_t* const from = rgba + (static_cast<size_t>(y) * w + i) * 4;
        const double alpha = from[3] / 255.0;
        for (int c = 0; c < 3; ++c) to[c] += weight * alpha * from[c] / 255.0;
        to[3] += weight * alpha;
      });
    }
  }
  SpriteTexture texture;
  SpriteTexture::Level full;
  full.side = kSpriteSide;
  full.rgba.resize(static_cast<size_t>(kSpriteSide) * kSpriteSide * 4);
  std::vector<double> line(static_cast<size_t>(kSpriteSide) * 4);
  for (int y = 0; y < kSpriteSide; ++y) {
    std::fill(line.begin(), line.end(), 0.0);
    cover(box.y0 + y * step, box.y0 + (y + 1) * step, h, [&](int i, double weight) {
      const double* const from = &rows[static_cast<size_t>(i) * kSpriteSide * 4];
      for (size_t k = 0; k < line.size(); ++k) line[k] += weight * from[k];
    });
    for (size_t k = 0; k < line.size(); ++k)
      full.rgba[static_cast<size_t>(y) * line.size() + k] = static_cast<float>(line[k]);
  }
  texture.levels.push_back(std::move(full));
  while (texture.levels.back().side > 1) texture.levels.push_back(halve(texture.levels.back()));
  return texture;
}

#ifdef VSSL_WITH_LIBAV

namespace {

SpriteTexture read_sprite(const std::string& path) {
  const StillPicture still = read_still(path);
  const RgbaPicture picture = rgba_from_frame(still.frame.get(), still.orientation);
  return make_sprite(picture.rgba.data(), picture.height, picture.width);
}

}  // namespace

std::shared_ptr<const SpriteTexture> load_sprite(const std::string& path) {
  static std::mutex mutex;
  static std::map<std::string, std::shared_ptr<const SpriteTexture>> kept;
  try {
    const std::string identity = file_identity(path);
    {
      std::lock_guard<std::mutex> lock(mutex);
      const auto it = kept.find(identity);
      if (it != kept.end()) return it->second;
    }
    auto texture = std::make_shared<const SpriteTexture>(read_sprite(path));  // two threads may both read it
    std::lock_guard<std::mutex> lock(mutex);
    if (kept.size() >= kMostKept) kept.clear();
    return kept.emplace(identity, std::move(texture)).first->second;
  } catch (const Error& e) {
    throw Error(e.code, "sprite " + path + ": " + e.what());
  }
}

#else

std::shared_ptr<const SpriteTexture> load_sprite(const std::string& path) {
  throw Error(
      "ERR_VSSL_NO_LIBAV",
      "sprite " + path +
          ": this build has no decoder; install FFmpeg's development packages and build again, or leave "
          "out sprites=");
}

#endif

}  // namespace vssl::video
