// Slow twin of the augmentation pass, in double precision, written from the definitions in src/data/plan.ts.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "../video/picture.h"
#include "../video/plan.h"

namespace vssl::video::reference {

struct Image {  // (height, width, 3)
  int height, width;
  std::vector<double> v;
  double& at(int y, int x, int c) { return v[(static_cast<size_t>(y) * width + x) * 3 + c]; }
};

inline double clip01(double x) { return std::min(std::max(x, 0.0), 1.0); }

// Sample of a plane at a point in samples, between the four nearest sample centres.
inline double bilinear(const Picture& p, int plane, double x, double y) {
  const int w = p.plane[plane].width, h = p.plane[plane].height;
  x = std::min(std::max(x - 0.5, 0.0), w - 1.0);
  y = std::min(std::max(y - 0.5, 0.0), h - 1.0);
  const int x0 = static_cast<int>(std::floor(x)), y0 = static_cast<int>(std::floor(y));
  const int x1 = std::min(x0 + 1, w - 1), y1 = std::min(y0 + 1, h - 1);
  const double a = x - x0, b = y - y0;
  return (1 - b) * ((1 - a) * p.row(plane, y0)[x0] + a * p.row(plane, y0)[x1]) +
         b * ((1 - a) * p.row(plane, y1)[x0] + a * p.row(plane, y1)[x1]);
}

inline Image resize(const Picture& p, const FrameAugment& a, int height, int width) {
  Image out{height, width, std::vector<double>(static_cast<size_t>(height) * width * 3)};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const double fx = a.x0 + (x + 0.5) / width * (a.x1 - a.x0),
                   fy = a.y0 + (y + 0.5) / height * (a.y1 - a.y0);
      double s[3] = {0, 0, 0};
      for (int c = 0; c < p.planes; ++c)
        s[c] = bilinear(p, c, fx * p.plane[c].extent_x, fy * p.plane[c].extent_y);
      double rgb[3];
      const double luma = p.full_range ? s[0] / 255 : (s[0] - 16) / 219;
      if (p.model == ColorModel::kRgb) {
        for (int c = 0; c < 3; ++c) rgb[c] = s[c] / 255;
      } else if (p.model == ColorModel::kGray) {
        rgb[0] = rgb[1] = rgb[2] = luma;
      } else {  // from the definition of Y, Cb, Cr
        const double cb = (s[1] - 128) / (p.full_range ? 255 : 224),
                     cr = (s[2] - 128) / (p.full_range ? 255 : 224);
        rgb[0] = luma + 2 * (1 - p.kr) * cr;
        rgb[2] = luma + 2 * (1 - p.kb) * cb;
        rgb[1] = (luma - p.kr * rgb[0] - p.kb * rgb[2]) / (1 - p.kr - p.kb);
      }
      for (int c = 0; c < 3; ++c) out.at(y, a.flip ? width - 1 - x : x, c) = clip01(rgb[c]);
    }
  }
  return out;
}

// HSV by its textbook cases, changed, and back.
inline void hsv(double* rgb, double saturation_factor, double turn) {
  const double v = std::max({rgb[0], rgb[1], rgb[2]}), chroma = v - std::min({rgb[0], rgb[1], rgb[2]});
  double h = 0, s = v > 0 ? chroma / v : 0;
  if (chroma > 0) {
    if (v == rgb[0])
      h = (rgb[1] - rgb[2]) / chroma / 6;
    else if (v == rgb[1])
      h = ((rgb[2] - rgb[0]) / chroma + 2) / 6;
    else
      h = ((rgb[0] - rgb[1]) / chroma + 4) / 6;
  }
  h = h + turn;
  h -= std::floor(h);
  s = std::min(s * saturation_factor, 1.0);
  const double c = v * s, sector = h * 6, x = c * (1 - std::fabs(std::fmod(sector, 2.0) - 1)), m = v - c;
  const double table[6][3] = {{c, x, 0}, {x, c, 0}, {0, c, x}, {0, x, c}, {x, 0, c}, {c, 0, x}};
  const double* row = table[std::min(5, static_cast<int>(sector))];
  for (int i = 0; i < 3; ++i) rgb[i] = clip01(row[i] + m);
}

inline void color(std::vector<Image*> frames, const ColorOp& op) {
  double mean[3] = {0, 0, 0};
  size_t count = 0;
  for (const Image* f : frames) {
    for (size_t i = 0; i < f->v.size(); ++i) mean[i % 3] += f->v[i];
    count += f->v.size() / 3;
  }
  for (double& m : mean) m /= static_cast<double>(count);
  for (Image* f : frames) {
    for (size_t i = 0; i < f->v.size(); i += 3) {
      double* p = &f->v[i];
      switch (op.kind) {
        case ColorKind::kBrightness:
          for (int c = 0; c < 3; ++c) p[c] = clip01(p[c] * op.value);
          break;
        case ColorKind::kContrast:
          for (int c = 0; c < 3; ++c) p[c] = clip01((p[c] - mean[c]) * op.value + mean[c]);
          break;
        case ColorKind::kSaturation:
          hsv(p, op.value, 0);
          break;
        case ColorKind::kHue:
          hsv(p, 1, op.value);
          break;
      }
    }
  }
}

inline Image blur(Image in, double sigma, int radius) {
  std::vector<double> taps;
  double sum = 0;
  for (int k = -radius; k <= radius; ++k) {
    taps.push_back(std::exp(-k * k / (2 * sigma * sigma)));
    sum += taps.back();
  }
  Image across = in, out = in;
  for (int pass = 0; pass < 2; ++pass) {
    Image& from = pass == 0 ? in : across;
    Image& to = pass == 0 ? across : out;
    for (int y = 0; y < in.height; ++y) {
      for (int x = 0; x < in.width; ++x) {
        for (int c = 0; c < 3; ++c) {
          double v = 0;
          for (int k = -radius; k <= radius; ++k) {
            const int xx = pass == 0 ? x + k : x, yy = pass == 0 ? y : y + k;
            if (xx < 0 || yy < 0 || xx >= in.width || yy >= in.height) continue;  // zeros outside
            v += taps[static_cast<size_t>(k + radius)] / sum * from.at(yy, xx, c);
          }
          to.at(y, x, c) = v;
        }
      }
    }
  }
  return out;
}

// The whole pass. `doubtful` marks values that sit on solarize's threshold, where rounding decides.
// Value i of frame t with the still frame mixed in.
inline double blended(const ClipPlan& plan, const std::vector<double>& in, size_t n, size_t t, size_t i) {
  const double x = in[t * n + i];
  return plan.blend ? x + plan.blend->still * (in[static_cast<size_t>(plan.blend->frame) * n + i] - x) : x;
}

inline std::vector<double> augment(const std::vector<PicturePtr>& pictures, const ClipPlan& plan,
                                   std::vector<bool>* doubtful) {
  const size_t frames = plan.times.size();
  const bool shared = plan.augment.size() == 1;
  std::vector<Image> images;
  for (size_t t = 0; t < frames; ++t) {
    images.push_back(resize(*pictures[t], plan.augment[shared ? 0 : t], plan.height, plan.width));
  }
  if (shared) {
    std::vector<Image*> all;
    for (Image& i : images) all.push_back(&i);
    for (const ColorOp& op : plan.augment[0].color) color(all, op);
  } else {
    for (size_t t = 0; t < frames; ++t) {
      for (const ColorOp& op : plan.augment[t].color) color({&images[t]}, op);
    }
  }
  std::vector<double> out;
  doubtful->clear();
  for (size_t t = 0; t < frames; ++t) {
    const FrameAugment& a = plan.augment[shared ? 0 : t];
    Image& image = images[t];
    if (a.gray) {
      for (size_t i = 0; i < image.v.size(); i += 3) {
        const double y = 0.299 * image.v[i] + 0.587 * image.v[i + 1] + 0.114 * image.v[i + 2];
        image.v[i] = image.v[i + 1] = image.v[i + 2] = y;
      }
    }
    if (a.blur > 0 && a.blur_radius > 0) image = blur(image, a.blur, a.blur_radius);
    for (double& v : image.v) {
      doubtful->push_back(a.solarizes && std::fabs(v - a.solarize) < 1e-4);
      if (a.solarizes && v >= a.solarize) v = 1 - v;
    }
    out.insert(out.end(), image.v.begin(), image.v.end());
  }
  const size_t n = out.size() / frames;
  std::vector<double> in = out;
  for (size_t i = 0; i < n; ++i) {
    const double mean = plan.mean[i % 3], std = plan.std[i % 3];
    double sum = 0;
    for (size_t t = 0; t < frames; ++t) sum += in[t * n + i];
    for (size_t t = 0; t < frames; ++t) {
      double& o = out[t * n + i];
      if (plan.input == InputKind::kRgb) o = (blended(plan, in, n, t, i) - mean) / std;
      if (plan.input == InputKind::kTemporalMeanRemoved)
        o = (in[t * n + i] - sum / static_cast<double>(frames)) / std;
      if (plan.input == InputKind::kDifference) {
        const size_t from = frames == 1 ? 0 : std::min(t, frames - 2), to = frames == 1 ? 0 : from + 1;
        o = (in[to * n + i] - in[from * n + i]) / std;
      }
    }
    // Of values that mean and std have been applied to.
    double all = 0;
    for (size_t t = 0; t < frames; ++t) all += out[t * n + i];
    for (size_t t = 0; plan.blend && t < frames; ++t)
      out[t * n + i] -= plan.blend->mean * all / static_cast<double>(frames);
  }
  return out;
}

}  // namespace vssl::video::reference
