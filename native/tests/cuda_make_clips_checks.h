// Clips made on the device: bit by bit those of the CPU, rounded to the type that is asked for.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "../kernels/clips.h"
#include "../kernels/cuda/clips_cuda.h"
#include "cuda_testing.h"
#include "half.h"

namespace vssl::cuda {

/// What a check's clips are like.
struct ClipsCase {
  int frames, height, width;
  int contrasts = 0;  // in a frame
  bool whole_clip = true, blurs = false, own_augment = false;
  ClipInput input = ClipInput::kRgb;
  float still = 0, mean = 0;
};

class RandomClip {
 public:
  RandomClip(const ClipsCase& c, unsigned seed) : random_(seed), block_(bytes), case_(c) {
    ClipHeader h{};
    block_.add(&h, 1);
    std::vector<ClipFrame> frames;
    for (int t = 0; t < c.frames; ++t)
      frames.push_back(t > 0 && !c.own_augment ? with_samples(frames[0]) : frame());
    h.frames = c.frames;
    h.height = c.height;
    h.width = c.width;
    h.input = c.input;
    h.whole_clip = c.whole_clip && !c.own_augment;
    h.still = c.still;
    h.still_frame = c.frames / 2;
    h.mean_share = c.mean / static_cast<float>(c.frames);
    for (int k = 0; k < 3; ++k) {
      h.scale[k] = c.input == ClipInput::kRgb ? 4.0f + static_cast<float>(k) : 1.0f;
      h.offset[k] = c.input == ClipInput::kRgb ? -1.7f : 0.0f;
      h.inverse_std[k] = 3.3f;
    }
    h.frame_list = block_.add(frames.data(), c.frames);
    block_.put(0, h);
  }

  std::vector<uint8_t> bytes;

 private:
  float uniform(float low, float high) { return std::uniform_real_distribution<float>(low, high)(random_); }

  ClipFrame frame() {
    ClipFrame f{};
    f.colors = static_cast<ClipColors>(random_() % 3);
    f.luma = 1.0f / 219;
    f.dark = f.colors == ClipColors::kRgb ? 0.0f : -16.0f / 219;
    f.rv = 0.0063f;
    f.gu = -0.0015f;
    f.gv = -0.0032f;
    f.bu = 0.008f;
    std::vector<ClipOp> ops;
    for (int k = 0; k < case_.contrasts; ++k) {
      ops.push_back({ClipOpKind::kContrast, uniform(0.2f, 1.8f)});
      ops.push_back({ClipOpKind::kSaturation, uniform(0, 1.8f)});
      ops.push_back({ClipOpKind::kHue, uniform(-3, 3)});
    }
    if (random_() % 2) ops.insert(ops.begin(), {ClipOpKind::kBrightness, uniform(0.2f, 1.8f)});
    f.op_count = static_cast<int32_t>(ops.size());
    f.op_list = block_.add(ops.data(), f.op_count);
    f.gray = random_() % 3 == 0;
    f.solarizes = random_() % 2;
    f.solarize = 0.5f;
    f.blur_radius = case_.blurs ? static_cast<int32_t>(random_() % 4) : 0;
    const float taps[4] = {0.4f, 0.2f, 0.07f, 0.03f};
    f.taps = block_.add(taps, 4);
    for (ClipPlane& plane : f.plane) {
      plane.width = 1 + static_cast<int32_t>(random_() % 40);
      plane.height = 1 + static_cast<int32_t>(random_() % 40);
      plane.columns = axis(plane.width, case_.width);
      plane.lines = axis(plane.height, case_.height);
    }
    return with_samples(f);
  }
  int64_t axis(int samples, int n) {
    std::vector<int32_t> index;
    std::vector<float> weight;
    for (int i = 0; i < n; ++i) {
      index.push_back(static_cast<int32_t>(random_() % static_cast<unsigned>(std::max(samples - 1, 1))));
      weight.push_back(samples == 1 ? 0 : uniform(0, 1));
    }
    return block_.add_axis(index.data(), weight.data(), n);
  }
  ClipFrame with_samples(ClipFrame f) {
    for (ClipPlane& plane : f.plane) {
      std::vector<uint8_t> samples(static_cast<size_t>(plane.width) * plane.height);
      for (uint8_t& s : samples) s = static_cast<uint8_t>(random_());
      plane.samples = block_.add_samples(samples.data(), plane.width, plane.width, plane.height);
    }
    return f;
  }

  std::mt19937 random_;
  ClipBlock block_;
  const ClipsCase case_;
};

inline uint16_t bits_of_bf16(float x) {
  const float rounded = to_bf16(x);
  uint32_t bits;
  std::memcpy(&bits, &rounded, 4);
  return static_cast<uint16_t>(bits >> 16);
}

inline void check_clips(const ClipsCase& c, const std::string& name) {
  constexpr int kClips = 4, kMissing = 2;
  const int64_t values = static_cast<int64_t>(c.frames) * c.height * c.width * 3;
  std::vector<uint8_t> blocks;
  std::vector<int64_t> offsets;
  std::vector<float> expected(static_cast<size_t>(kClips * values));
  ClipsShape shape{kClips, c.frames, c.height, c.width, 0, false, Element::kFloat};
  for (int n = 0; n < kClips; ++n) {
    if (n == kMissing) {
      offsets.push_back(-1);
      continue;
    }
    const RandomClip clip(c, static_cast<unsigned>(n + 1));
    blocks.resize((blocks.size() + 255) / 256 * 256);
    offsets.push_back(static_cast<int64_t>(blocks.size()));
    blocks.insert(blocks.end(), clip.bytes.begin(), clip.bytes.end());
    shape.contrasts = std::max(shape.contrasts, clip_contrasts(clip.bytes.data()));
    shape.blurs = shape.blurs || clip_blurs(clip.bytes.data());
    make_clip(expected.data() + n * values, clip.bytes.data());
  }
  const DeviceArray<uint8_t> there(blocks);
  const DeviceArray<int64_t> begins(offsets);
  for (const Element type : {Element::kFloat, Element::kBf16, Element::kHalf}) {
    shape.type = type;
    const bool wide = type == Element::kFloat;
    const DeviceArray<float> floats(wide ? expected.size() : 1);
    const DeviceArray<uint16_t> halves(wide ? 1 : expected.size());
    const DeviceArray<uint8_t> workspace(clips_workspace(shape));
    void* const out = wide ? static_cast<void*>(floats.get()) : halves.get();
    enqueue_work([&](cudaStream_t stream) {
      make_clips(out, there.get(), begins.get(), shape, workspace.get(), workspace.bytes(), stream);
    });
    int64_t other = 0;
    const std::vector<float> made = floats.read();
    const std::vector<uint16_t> rounded = halves.read();
    for (size_t i = 0; i < expected.size(); ++i) {
      if (wide)
        other += made[i] != expected[i];
      else
        other += rounded[i] != (type == Element::kBf16 ? bits_of_bf16(expected[i]) : half_of(expected[i]));
    }
    check(other == 0, name + ": " + std::to_string(other) + " of " + std::to_string(expected.size()) +
                          " values other than the CPU's, type " + std::to_string(static_cast<int>(type)));
  }
}

inline void add_clips_checks(Checks& checks) {
  const auto add = [&](const std::string& name, const ClipsCase& c) {
    checks.push_back([=] { check_clips(c, "clips, " + name); });
  };
  add("one pixel", {1, 1, 1});
  add("odd sizes", {3, 5, 7});
  add("more pixels than a block", {2, 19, 33});
  add("a contrast over the clip", {3, 35, 33, 1});
  add("contrasts over the clip", {2, 9, 17, 3});
  add("contrasts of frames", {3, 34, 31, 2, false});
  add("frames of their own", {4, 12, 10, 1, true, true, true});
  add("blurred", {2, 13, 21, 1, true, true});
  add("blurred beyond its size", {2, 2, 1, 0, true, true});
  for (const ClipInput input : {ClipInput::kTemporalMeanRemoved, ClipInput::kDifference}) {
    const std::string kind = input == ClipInput::kDifference ? "differences" : "means removed";
    add(kind, {5, 8, 11, 1, true, true, false, input});
    add(kind + " of one frame", {1, 8, 11, 0, true, false, false, input});
  }
  for (const auto& [still, mean] : {std::pair{0.3f, 0.0f}, std::pair{0.0f, 0.7f}, std::pair{0.2f, 1.0f}})
    add("blended", {5, 8, 11, 1, true, false, false, ClipInput::kRgb, still, mean});
  checks.push_back([] {
    const ClipsShape shape{70000, 1, 1, 1, 0, false, Element::kFloat};
    check(code_of([&] { clips_workspace(shape); }) == kInvalidArgument, "clips: too many at once");
  });
}

}  // namespace vssl::cuda
