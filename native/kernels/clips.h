// Clips that are still to be made: decoded samples, and what is to be done to them. A loader that feeds a
// device leaves them so, and the device makes floats of them: 8-bit samples of the part that is seen are a
// quarter or less of the floats. The operations, their order and their roundings are those of the
// augmentation pass (../video/augment.h), so that the bits are the same wherever a clip is made.
//
// A clip is one block of bytes: a ClipHeader, then what it points at, by offsets from the block's beginning.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "training.h"

namespace vssl {

enum class ClipColors : int32_t { kRgb, kGray, kYuv };
enum class ClipInput : int32_t { kRgb, kTemporalMeanRemoved, kDifference };
enum class ClipOpKind : int32_t { kBrightness, kContrast, kSaturation, kHue };

struct ClipHeader {
  int32_t frames, height, width;
  ClipInput input;
  int32_t whole_clip;         ///< contrast is about the mean of all frames, not of its own
  float scale[3], offset[3];  ///< of a value that is kept as it is: value scale + offset
  float inverse_std[3];       ///< of means removed and differences
  float still;                ///< of pictures: x_t + still (x_k - x_t), k being
  int32_t still_frame;        ///< this frame; then less
  float mean_share;           ///< this part of the sum of all frames
  int32_t unused;
  int64_t frame_list;  ///< ClipFrame of each frame
};

/// Samples of the part of a picture that is read: rows of `width` bytes. Output pixel (y, x) lies between
/// rows line.index[y] and the next, columns column.index[x] and the next; beyond the border it is repeated.
struct ClipPlane {
  int64_t samples;
  int64_t lines, columns;  ///< tables: int32 index of each output line (column), then float weight of each
  int32_t width, height;
};

struct ClipFrame {
  ClipPlane plane[3];  ///< R G B, or Y, or Y U V
  ClipColors colors;
  /// y' = luma y + dark;  r = y' + rv v',  g = y' + gu u' + gv v',  b = y' + bu u';  u, v less 128. Of RGB
  /// and gray luma and dark alone.
  float luma, dark, rv, gu, gv, bu;
  int32_t op_count, gray;
  int64_t op_list, taps;  ///< ClipOp each; blur's weights of the centre and of one side
  int32_t blur_radius;    ///< 0: none
  int32_t solarizes;
  float solarize;
  int32_t unused;
};

struct ClipOp {
  ClipOpKind kind;
  float value;  ///< of hue in sixths of a turn
};

/// What clips that are made in one call have in common.
struct ClipsShape {
  int64_t clips;
  int32_t frames, height, width;
  int32_t contrasts;  ///< in one frame, at most
  bool blurs;         ///< some frame does
  Element type;       ///< of the floats
};

/// Writes a block from its parts.
class ClipBlock {
 public:
  explicit ClipBlock(std::vector<uint8_t>& bytes) : bytes_(bytes) { bytes_.clear(); }

  /// Offset of a copy of `count` values, on a 16-byte boundary.
  template <typename T>
  int64_t add(const T* values, int64_t count) {
    const int64_t at = room(count * static_cast<int64_t>(sizeof(T)));
    const auto* from = reinterpret_cast<const uint8_t*>(values);
    std::copy(from, from + count * static_cast<int64_t>(sizeof(T)), bytes_.begin() + at);
    return at;
  }
  /// Of an axis of `n` outputs.
  int64_t add_axis(const int32_t* index, const float* weight, int64_t n) {
    const int64_t at = room(8 * n);
    std::copy_n(reinterpret_cast<const uint8_t*>(index), 4 * n, bytes_.begin() + at);
    std::copy_n(reinterpret_cast<const uint8_t*>(weight), 4 * n, bytes_.begin() + at + 4 * n);
    return at;
  }
  /// Of rows of `width` samples that lie `stride` bytes apart.
  int64_t add_samples(const uint8_t* samples, int64_t stride, int64_t width, int64_t height) {
    const int64_t at = room(width * height);
    for (int64_t y = 0; y < height; ++y)
      std::copy_n(samples + y * stride, width, bytes_.begin() + at + y * width);
    return at;
  }
  /// Over what add() put there.
  template <typename T>
  void put(int64_t at, const T& value) {
    std::copy_n(reinterpret_cast<const uint8_t*>(&value), sizeof(T), bytes_.begin() + at);
  }

 private:
  int64_t room(int64_t bytes) {
    const int64_t at = (static_cast<int64_t>(bytes_.size()) + 15) / 16 * 16;
    bytes_.resize(static_cast<size_t>(at + bytes));
    return at;
  }

  std::vector<uint8_t>& bytes_;
};

/// Contrast operations of a frame of the block, at most; whether a frame is blurred.
int32_t clip_contrasts(const uint8_t* block);
bool clip_blurs(const uint8_t* block);

/// The clip as (T, H, W, 3) floats, on one thread, plainly: for looking at what a device will see, and for
/// tests of devices.
void make_clip(float* out, const uint8_t* block);

}  // namespace vssl
