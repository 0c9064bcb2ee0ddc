#include "synthetic.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "../common/memory.h"
#include "video.h"

namespace vssl::video {

namespace {

constexpr double kTurn = 6.283185307179586;
// Turns of a spinning sprite, and size cycles of a zooming one, per side of travel: both move the sprite's
// edge about as fast as the other classes move its centre.
constexpr double kCyclesPerSide = 1.2;

[[noreturn]] void fail(const std::string& name, const std::string& expected) {
  throw Error("ERR_VSSL_INVALID_ARGUMENT", "expected " + expected + " for synthetic " + name);
}

double number(const Value& v, const std::string& name, double lowest, double highest) {
  const double d = v.as_number("synthetic " + name);
  if (!(d >= lowest && d <= highest)) {
    fail(name, "a number from " + std::to_string(lowest) + " to " + std::to_string(highest));
  }
  return d;
}

int whole(const Value& v, const std::string& name, int lowest, int highest) {
  const double d = number(v, name, lowest, highest);
  if (d != std::floor(d)) fail(name, "a whole number");
  return static_cast<int>(d);
}

std::vector<double> numbers(const Value& v, const std::string& name, size_t count) {
  std::vector<double> out;
  for (const Value& x : v.as_array("synthetic " + name)) out.push_back(number(x, name, -1e3, 1e3));
  if (out.size() != count) fail(name, std::to_string(count) + " numbers");
  return out;
}

void color(double* out, const Value& v, const std::string& name) {
  const std::vector<double> c = numbers(v, name, 3);
  std::copy(c.begin(), c.end(), out);
}

double fraction(double x) { return x - std::floor(x); }

// Where the sprite is at one moment.
struct Pose {
  double x, y, size, angle;
};

// Of the motions along a line, in the order of the enum; y points down.
constexpr int kDirections[8][2] = {{1, 0}, {-1, 0}, {0, 1}, {0, -1}, {1, 1}, {-1, -1}, {-1, 1}, {1, -1}};

Pose pose_at(const SyntheticMotion& m, double t) {
  Pose p{m.x, m.y, m.size, m.angle};
  const double way = m.speed * t;
  const double swing =
      m.radius * std::sin(kTurn * m.phase + way * (kTurn / 4) / m.radius);  // mean speed as given
  const auto circle = [&](double sense) {
    const double at = kTurn * m.phase + sense * way / m.radius;
    p.x += m.radius * std::cos(at);
    p.y += m.radius * std::sin(at);
  };
  const auto zoom = [&](double sense) {
    p.size =
        m.size_low * std::pow(m.size_high / m.size_low, fraction(m.phase + sense * way * kCyclesPerSide));
  };
  switch (m.motion) {
    case Motion::kCircleClockwise:
      circle(1);
      break;
    case Motion::kCircleCounterclockwise:
      circle(-1);
      break;
    case Motion::kSpinClockwise:
      p.angle += way * kCyclesPerSide;
      break;
    case Motion::kSpinCounterclockwise:
      p.angle -= way * kCyclesPerSide;
      break;
    case Motion::kZoomIn:
      zoom(1);
      break;
    case Motion::kZoomOut:
      zoom(-1);
      break;
    case Motion::kOscillateHorizontal:
      p.x += swing;
      break;
    case Motion::kOscillateVertical:
      p.y += swing;
      break;
    default: {
      const auto [dx, dy] = kDirections[static_cast<int>(m.motion)];
      const double step = dx != 0 && dy != 0 ? way * std::sqrt(0.5) : way;
      p.x += dx * step;
      p.y += dy * step;
    }
  }
  p.x = fraction(p.x);
  p.y = fraction(p.y);
  return p;
}

uint8_t to_byte(double v) { return static_cast<uint8_t>(std::min(std::max(v, 0.0), 255.0) + 0.5); }

void parse_sprite(SyntheticMotion& m, const Value& sprite) {
  if (!sprite["picture"].is_null()) {
    m.picture = sprite["picture"].as_string("synthetic sprite.picture");
    if (m.picture.empty()) fail("sprite.picture", "a path");
    return;
  }
  double reach = 0;
  for (const Value& h : sprite["outline"].as_array("synthetic sprite.outline")) {
    const std::vector<double> n = numbers(h, "sprite.outline[]", 3);
    m.outline.push_back({std::floor(n[0]), n[1], n[2]});
    reach += std::fabs(n[1]);
  }
  if (reach > 0.6) fail("sprite.outline", "amplitudes that sum to 0.6 at most");
  color(m.inner, sprite["inner"], "sprite.inner");
  color(m.outer, sprite["outer"], "sprite.outer");
  m.stripes = number(sprite["stripes"], "sprite.stripes", 0, 20);
}

}  // namespace

SyntheticMotion parse_synthetic(const Value& v) {
  SyntheticMotion m;
  m.motion = static_cast<Motion>(whole(v["motion"], "motion", 0, kMotions - 1));
  m.height = whole(v["height"], "height", 8, 4096);
  m.width = whole(v["width"], "width", 8, 4096);
  m.x = number(v["x"], "x", -1e3, 1e3);
  m.y = number(v["y"], "y", -1e3, 1e3);
  m.phase = number(v["phase"], "phase", -1e3, 1e3);
  m.speed = number(v["speed"], "speed", 0, 100);
  m.radius = number(v["radius"], "radius", 1e-3, 10);
  m.size = number(v["size"], "size", 1e-3, 0.3);
  m.size_low = number(v["sizeLow"], "sizeLow", 1e-3, 0.3);
  m.size_high = number(v["sizeHigh"], "sizeHigh", m.size_low, 0.3);
  m.angle = number(v["angle"], "angle", -1e3, 1e3);
  parse_sprite(m, v["sprite"]);
  const Value& background = v["background"];
  color(m.base, background["base"], "background.base");
  for (const Value& w : background["waves"].as_array("synthetic background.waves")) {
    const std::vector<double> n = numbers(w, "background.waves[]", 6);
    m.waves.push_back({static_cast<int>(n[0]), static_cast<int>(n[1]), n[2], {n[3], n[4], n[5]}});
  }
  return m;
}

SyntheticRenderer::SyntheticRenderer(const SyntheticMotion& motion, int height, int width)
    : motion_(motion),
      texture_(motion.picture.empty() ? nullptr : load_sprite(motion.picture)),
      height_(height),
      width_(width),
      background_(static_cast<size_t>(height) * width * 3) {
  if (texture_) reach_ = std::sqrt(2.0);
  for (const auto& h : motion_.outline) reach_ += std::fabs(h.amplitude);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      double c[3] = {motion.base[0], motion.base[1], motion.base[2]};
      for (const SyntheticMotion::Wave& w : motion.waves) {
        const double wave =
            std::cos(kTurn * (w.kx * (x + 0.5) / width + w.ky * (y + 0.5) / height + w.phase));
        for (int i = 0; i < 3; ++i) c[i] += w.color[i] * wave;
      }
      float* out = &background_[(static_cast<size_t>(y) * width + x) * 3];
      for (int i = 0; i < 3; ++i) out[i] = static_cast<float>(std::min(std::max(c[i], 0.0), 1.0) * 255);
    }
  }
}

void SyntheticRenderer::outline_at(double out[4], double x, double y, double radius) const {
  const double direction = std::atan2(y, x);
  double edge = 1;
  for (const auto& h : motion_.outline) {
    edge += h.amplitude * std::cos(h.order * direction + kTurn * h.phase);
  }
  out[3] = std::min(std::max(radius * edge - std::sqrt(x * x + y * y) + 0.5, 0.0), 1.0);
  const double mix = 0.5 + 0.5 * std::cos(kTurn * motion_.stripes * x / radius);
  for (int i = 0; i < 3; ++i) out[i] = out[3] * (motion_.inner[i] * mix + motion_.outer[i] * (1 - mix));
}

// A picture's square reaches from -radius to radius.
void SyntheticRenderer::sprite_at(double out[4], double x, double y, double radius) const {
  if (texture_) {
    texture_->sample(out, 0.5 + 0.5 * x / radius, 0.5 + 0.5 * y / radius, kSpriteSide / (2 * radius));
  } else {
    outline_at(out, x, y, radius);
  }
}

void SyntheticRenderer::render(uint8_t* rgb, double seconds) const {
  const Pose pose = pose_at(motion_, seconds);
  for (size_t i = 0; i < background_.size(); ++i) rgb[i] = to_byte(background_[i]);
  const double radius = pose.size * std::min(height_, width_);  // pixels
  const double cx = pose.x * width_, cy = pose.y * height_;
  const int far = static_cast<int>(std::ceil(radius * reach_ + 1));  // below half a side, see parse_synthetic
  const double turn_cos = std::cos(kTurn * pose.angle), turn_sin = std::sin(kTurn * pose.angle);
  for (int py = static_cast<int>(std::floor(cy)) - far; py <= static_cast<int>(std::floor(cy)) + far; ++py) {
    for (int px = static_cast<int>(std::floor(cx)) - far; px <= static_cast<int>(std::floor(cx)) + far;
         ++px) {
      const double dx = px + 0.5 - cx, dy = py + 0.5 - cy;
      if (std::sqrt(dx * dx + dy * dy) > radius * reach_ + 1) continue;
      double sprite[4];  // turned about its centre
      sprite_at(sprite, dx * turn_cos + dy * turn_sin, -dx * turn_sin + dy * turn_cos, radius);
      if (sprite[3] <= 0) continue;
      const int x = ((px % width_) + width_) % width_, y = ((py % height_) + height_) % height_;
      const size_t at = (static_cast<size_t>(y) * width_ + x) * 3;
      for (int i = 0; i < 3; ++i)
        rgb[at + i] = to_byte(background_[at + i] * (1 - sprite[3]) + sprite[i] * 255);
    }
  }
}

std::vector<uint8_t> render_synthetic(const Value& spec, const std::vector<double>& times, int64_t h,
                                      int64_t w) {
  if (h < 8 || w < 8 || h > 4096 || w > 4096) fail("picture size", "sides from 8 to 4096");
  const SyntheticRenderer renderer(parse_synthetic(spec), static_cast<int>(h), static_cast<int>(w));
  const size_t frame = static_cast<size_t>(h) * w * 3;
  check_memory(
      static_cast<double>(frame) * static_cast<double>(times.size()),
      std::to_string(times.size()) + " pictures of " + std::to_string(h) + " x " + std::to_string(w));
  std::vector<uint8_t> out(frame * times.size());
  for (size_t i = 0; i < times.size(); ++i) {
    if (!std::isfinite(times[i])) fail("times", "finite seconds");
    renderer.render(out.data() + i * frame, times[i]);
  }
  return out;
}

}  // namespace vssl::video
