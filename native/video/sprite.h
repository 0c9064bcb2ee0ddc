// A sprite of the motion set that is cut from a picture of the user's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace vssl::video {

// A square texture with premultiplied alpha and every half of it down to one texel, so that a small sprite is
// a mean of the picture and does not flicker while it moves.
struct SpriteTexture {
  struct Level {
    int side = 0;
    std::vector<float> rgba;  // (side, side, 4), 0 to 1
  };
  std::vector<Level> levels;  // largest first

  // Colour and cover at (u, v), both 0 to 1 across the square, nothing outside; `texels` of the largest level
  // fall on one pixel of the picture that is drawn. Linear in u, v and between levels.
  void sample(double out[4], double u, double v, double texels) const;
};

constexpr int kSpriteSide = 128;

// Uint8 (h, w, 4) with straight alpha as a texture. With alpha anywhere: what is not transparent, in the
// middle of the square and as large as fits. Without: the centre square. Throws ERR_VSSL_VIDEO_DECODE for a
// picture of which nothing can be seen.
SpriteTexture make_sprite(const uint8_t* rgba, int h, int w);

// The texture of a PNG, JPEG or other still picture; kept for the next clip that shows it. Throws
// ERR_VSSL_VIDEO_OPEN, ERR_VSSL_VIDEO_DECODE, ERR_VSSL_NO_LIBAV.
std::shared_ptr<const SpriteTexture> load_sprite(const std::string& path);

}  // namespace vssl::video
