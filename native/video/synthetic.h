// Procedural motion clips: one textured sprite that moves on a torus over a still background. The class is
// the motion alone; where the sprite is, how large, how it is turned and what it looks like have the same
// distribution in every class, so that a single frame says nothing. src/data/synthetic.ts draws the
// parameters.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "../common/value.h"
#include "sprite.h"

namespace vssl::video {

// Order of SYNTHETIC_MOTIONS in src/data/synthetic.ts.
enum class Motion : int {
  kRight,
  kLeft,
  kDown,
  kUp,
  kDownRight,
  kUpLeft,
  kDownLeft,
  kUpRight,
  kCircleClockwise,
  kCircleCounterclockwise,
  kSpinClockwise,
  kSpinCounterclockwise,
  kZoomIn,
  kZoomOut,
  kOscillateHorizontal,
  kOscillateVertical,
};
constexpr int kMotions = 16;

struct SyntheticMotion {
  Motion motion = Motion::kRight;
  int height = 64, width = 64;  // of the pictures that a clip plan sees
  double x = 0.5, y = 0.5;  // centre at time 0 in fractions of the sides; of the path for circles and swings
  double phase = 0;         // in turns, of periodic motions
  double speed = 0.25;      // sides per second; turns and zoom cycles follow it, see synthetic.cpp
  double radius = 0.2;      // of circles and swings, in sides
  double size = 0.15;       // radius of the sprite, in short sides
  double size_low = 0.1, size_high = 0.22;  // between which zooming sprites change
  double angle = 0;                         // of the sprite, in turns
  struct Harmonic {
    double order, amplitude, phase;  // outline: size (1 + sum amplitude cos(2 pi (order angle + phase)))
  };
  std::vector<Harmonic> outline;
  double inner[3] = {1, 1, 1}, outer[3] = {0, 0, 0};  // colours of the sprite's stripes, 0 to 1
  double stripes = 1;                                 // periods across the sprite's radius
  std::string picture;  // file from which the sprite is cut instead of outline and stripes; empty: none
  double base[3] = {0.5, 0.5, 0.5};  // background
  struct Wave {
    int kx, ky;  // whole periods across the picture, so that it joins at the edges
    double phase, color[3];
  };
  std::vector<Wave> waves;
};

// Throws ERR_VSSL_INVALID_ARGUMENT.
SyntheticMotion parse_synthetic(const Value& source);

class SyntheticRenderer {
 public:
  // Reads the sprite's picture when it has one, see load_sprite.
  SyntheticRenderer(const SyntheticMotion& motion, int height, int width);
  void render(uint8_t* rgb, double seconds) const;  // (height, width, 3)

 private:
  // Premultiplied colour and cover, 0 to 1, of the sprite of `radius` pixels at (x, y) pixels from its
  // centre.
  void sprite_at(double out[4], double x, double y, double radius) const;
  void outline_at(double out[4], double x, double y, double radius) const;

  const SyntheticMotion motion_;
  const std::shared_ptr<const SpriteTexture> texture_;  // null: outline and stripes
  double reach_ = 1;                                    // farthest part of the sprite, in radii
  const int height_, width_;
  std::vector<float> background_;  // (height, width, 3), 0 to 255
};

}  // namespace vssl::video
