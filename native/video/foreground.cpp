#include "foreground.h"

#include <algorithm>
#include <cmath>

namespace vssl::video {

namespace {

constexpr int kParts = 4096;  // of a weight, and of a probability
constexpr int kBins = 10;     // of each axis of the colours

int32_t bin_of(int32_t part, int32_t whole) { return std::min(kBins - 1, kBins * part / whole); }

// Of the colour whose channels are r, g, b of `white`: a point of the hexagon that hue and saturation span,
// and value. Whole numbers alone, of 32 bits for up to 4096 frames: where a bin ends does not hang on
// rounding.
int32_t color_bin(int32_t r, int32_t g, int32_t b, int32_t white) {
  const int32_t value = std::max({r, g, b});
  if (value == 0) return (kBins / 2 * kBins + kBins / 2) * kBins;
  const int32_t across = bin_of(2 * r - g - b + 2 * value, 4 * value),
                along = bin_of(g - b + value, 2 * value);
  return (across * kBins + along) * kBins + bin_of(value, white);
}

}  // namespace

std::vector<double> foreground_taps(int height, int width) {
  const int radius = std::max(1, std::min(height, width) / 20);
  const double sigma = (2 * radius + 1) / 3.0;
  std::vector<double> taps(static_cast<size_t>(radius) + 1);
  double sum = 0;
  for (int k = 0; k <= radius; ++k) {
    taps[k] = std::exp(-0.5 * k * k / (sigma * sigma));
    sum += k == 0 ? taps[k] : 2 * taps[k];
  }
  double sides = 0;
  for (int k = 1; k <= radius; ++k) {
    taps[k] = std::floor(taps[k] / sum * kParts + 0.5);
    sides += 2 * taps[k];
  }
  taps[0] = kParts - sides;
  return taps;
}

Foreground::Foreground(int height, int width, ForegroundScratch& scratch, const RowOps& ops)
    : height_(height),
      width_(width),
      area_(static_cast<int64_t>(height) * width),
      scratch_(scratch),
      ops_(ops) {
  const auto area = static_cast<size_t>(area_);
  for (auto* values : {&scratch.sum, &scratch.moved, &scratch.last}) values->assign(3 * area, 0);
}

void Foreground::add(const float* planes) {
  const int n = static_cast<int>(3 * area_);
  ops_.track(scratch_.sum.data(), scratch_.moved.data(), scratch_.last.data(), planes, n);
  // what the first frame differs from is no frame
  if (frames_++ == 0) std::fill(scratch_.moved.begin(), scratch_.moved.end(), 0);
}

// Separable; the picture's border is repeated. All products and sums are whole numbers below 2^53.
void Foreground::blur() {
  const std::vector<double> taps = foreground_taps(height_, width_);
  const int radius = static_cast<int>(taps.size()) - 1;
  const auto w = static_cast<size_t>(width_);
  std::vector<double>& rows = scratch_.rows;
  rows.resize(static_cast<size_t>(area_));
  for (int y = 0; y < height_; ++y) {
    double* const out = rows.data() + y * w;
    const auto row = [&](int k) {
      return scratch_.map.data() + static_cast<size_t>(std::clamp(y + k, 0, height_ - 1)) * w;
    };
    const double* const middle = row(0);
    for (size_t x = 0; x < w; ++x) out[x] = taps[0] * middle[x];
    for (int k = 1; k <= radius; ++k) {
      const double tap = taps[k], *const above = row(-k), *const below = row(k);
      for (size_t x = 0; x < w; ++x) out[x] += tap * (above[x] + below[x]);
    }
  }
  std::vector<double>& padded = scratch_.order;
  padded.resize(std::max(scratch_.order.size(), w + 2 * static_cast<size_t>(radius)));
  for (int y = 0; y < height_; ++y) {
    const double* const in = rows.data() + y * w;
    double *const out = scratch_.map.data() + y * w, *const middle = padded.data() + radius;
    std::fill(padded.data(), middle, in[0]);
    std::copy(in, in + w, middle);
    std::fill(middle + w, middle + w + radius, in[w - 1]);
    for (size_t x = 0; x < w; ++x) out[x] = taps[0] * middle[x];
    for (int k = 1; k <= radius; ++k) {
      const double tap = taps[k];
      for (size_t x = 0; x < w; ++x) out[x] += tap * (middle[x - k] + middle[x + k]);
    }
  }
}

// The value of the map at this place of its ascending order.
double Foreground::ranked(int64_t place) {
  std::vector<double>& order = scratch_.order;
  order.assign(scratch_.map.begin(), scratch_.map.end());
  std::nth_element(order.begin(), order.begin() + place, order.end());
  return order[static_cast<size_t>(place)];
}

// The probability of the foreground at each pixel's colour takes the map's place. False without seeds.
bool Foreground::color_map() {
  const double moves = ranked(area_ - 1 - area_ / 2);
  const double rests = ranked(std::max<int64_t>(1, area_ / 10) - 1);
  const int32_t* const sum = scratch_.sum.data();
  std::vector<int64_t> front(kBins * kBins * kBins), back(front.size(), 1);
  std::vector<int32_t>& bins = scratch_.keeps;
  bins.resize(static_cast<size_t>(area_));
  bool seeded = false;
  for (int64_t i = 0; i < area_; ++i) {
    bins[i] = color_bin(sum[i], sum[area_ + i], sum[2 * area_ + i], 255 * frames_);
    if (scratch_.map[i] > moves) {
      ++front[bins[i]];
      seeded = true;
    }
    if (scratch_.map[i] <= rests) ++back[bins[i]];
  }
  for (size_t bin = 0; bin < front.size(); ++bin) front[bin] = kParts * front[bin] / (front[bin] + back[bin]);
  for (int64_t i = 0; i < area_; ++i) scratch_.map[i] = static_cast<double>(front[bins[i]]);
  return seeded;
}

const int32_t* Foreground::find(double share, bool refined) {
  const int32_t* const moved = scratch_.moved.data();
  scratch_.map.resize(static_cast<size_t>(area_));
  for (int64_t i = 0; i < area_; ++i)
    scratch_.map[i] = static_cast<double>(moved[i] + moved[area_ + i] + moved[2 * area_ + i]);
  blur();
  if (refined) {
    if (!color_map()) return nullptr;
    blur();
  }
  const auto most = static_cast<int64_t>(share * static_cast<double>(area_));
  const double limit = ranked(std::max<int64_t>(0, area_ - 1 - most));
  scratch_.keeps.resize(static_cast<size_t>(area_));
  bool any = false;
  for (int64_t i = 0; i < area_; ++i) {
    scratch_.keeps[i] = scratch_.map[i] > limit;
    any = any || scratch_.keeps[i] != 0;
  }
  return any ? scratch_.keeps.data() : nullptr;
}

}  // namespace vssl::video
