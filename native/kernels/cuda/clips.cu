// Clips from decoded samples. A frame's three planes of floats stay in the workspace from one kernel to the
// next; all of it together moves some 50 bytes a pixel, a small part of what the first convolution does.
//
//   color     sweep s of the colour operations: from the contrast with number s (0: from the samples) to the
//             one before the next contrast, which needs the mean of what is there by then
//   add_lanes, add_means    that mean, added up in the order of the CPU
//   blur      twice, along rows and along columns
//   store     gray, solarise, normalise, the input's kind, rounding
#include <string>

#include "../clip_pixels.h"
#include "clips_cuda.h"
#include "device.cuh"
#include "launch.h"

namespace vssl::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kChunk = 1024, kLanes = 16;  // of a sum: as sum_of() of ../clips.cpp

struct Clips {
  const uint8_t* blocks;
  const int64_t* offsets;
  int frames, height, width;
  float* planes;   ///< (clips, T, 3, H W)
  float* blurred;  ///< the same; null: no frame is blurred
  float* lanes;    ///< (clips, T, 3, chunks, 16): sums of a chunk's lanes
  float* means;    ///< (clips, T, 3)

  __device__ int64_t area() const { return static_cast<int64_t>(height) * width; }
  __device__ int64_t plane(int64_t n, int t, int c) const { return ((n * frames + t) * 3 + c) * area(); }
  /// Null: there is no such clip.
  __device__ const uint8_t* block(int64_t n) const { return offsets[n] < 0 ? nullptr : blocks + offsets[n]; }
};

inline int64_t chunks_of(const ClipsShape& s) {
  return (static_cast<int64_t>(s.height) * s.width + kChunk - 1) / kChunk;
}

/// A thread for each pixel of a frame: blocks over pixels, frames, clips.
inline __device__ int64_t own_pixel() { return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; }

__global__ void __launch_bounds__(kThreads) color(const Clips clips, const int sweep) {
  const int64_t n = blockIdx.z, i = own_pixel(), area = clips.area();
  const int t = static_cast<int>(blockIdx.y);
  const uint8_t* const block = clips.block(n);
  if (block == nullptr || i >= area) return;
  const ClipFrame& f = clip::frame(block, t);
  const int begin = clip::sweep_begin(block, f, sweep), end = clip::sweep_begin(block, f, sweep + 1);
  if (sweep > 0 && begin == f.op_count) return;
  float* const p = clips.planes + clips.plane(n, t, 0) + i;
  clip::Rgb x;
  if (sweep == 0)
    x = clip::resized(block, f, clips.height, clips.width, static_cast<int>(i / clips.width),
                      static_cast<int>(i % clips.width));
  else
    x = {p[0], p[area], p[2 * area]};
  const float* const means = clips.means + (n * clips.frames + t) * 3;
  for (int k = begin; k < end; ++k) x = clip::colored(x, clip::at<ClipOp>(block, f.op_list)[k], means);
  if (end == f.op_count && f.gray != 0) x.r = clip::luma(x);
  p[0] = x.r;
  p[area] = x.g;
  p[2 * area] = x.b;
}

/// Blocks over chunks, frames, clips; a thread for each lane of each channel.
__global__ void __launch_bounds__(3 * kLanes) add_lanes(const Clips clips) {
  const int64_t n = blockIdx.z, area = clips.area();
  const int t = static_cast<int>(blockIdx.y), c = static_cast<int>(threadIdx.x) / kLanes;
  if (clips.block(n) == nullptr) return;
  const int64_t begin = static_cast<int64_t>(blockIdx.x) * kChunk;
  const int64_t end = begin + kChunk < area ? begin + kChunk : area;
  const float* const x = clips.planes + clips.plane(n, t, c);
  float sum = 0;
#pragma unroll 8
  for (int64_t i = begin + threadIdx.x % kLanes; i < end; i += kLanes) sum += x[i];
  const int64_t row = (n * clips.frames + t) * 3 + c;
  clips.lanes[(row * gridDim.x + blockIdx.x) * kLanes + threadIdx.x % kLanes] = sum;
}

/// A block for each clip: the mean of each frame's channel, or of all frames together.
__global__ void __launch_bounds__(kThreads) add_means(const Clips clips, const int64_t lanes) {
  const int64_t n = blockIdx.x;
  const uint8_t* const block = clips.block(n);
  if (block == nullptr) return;
  double* const sums = reinterpret_cast<double*>(shared_memory());
  const int rows = 3 * clips.frames;
  for (int row = static_cast<int>(threadIdx.x); row < rows; row += kThreads) {
    const float* const x = clips.lanes + (n * rows + row) * lanes;
    double sum = 0;
#pragma unroll 16
    for (int64_t i = 0; i < lanes; ++i) sum += x[i];
    sums[row] = sum;
  }
  __syncthreads();
  const bool whole = clip::header(block).whole_clip != 0;
  const double count = static_cast<double>(clips.area()) * (whole ? clips.frames : 1);
  for (int row = static_cast<int>(threadIdx.x); row < rows; row += kThreads) {
    double sum = sums[row];
    if (whole) {
      sum = 0;
      for (int t = 0; t < clips.frames; ++t) sum += sums[3 * t + row % 3];
    }
    clips.means[n * rows + row] = static_cast<float>(sum / count);
  }
}

/// One direction of the blur, from `from` to `to`: blocks over pixels, frames, clips. Nothing lies outside.
__global__ void __launch_bounds__(kThreads)
    blur(const Clips clips, const float* from, float* to, const int dx, const int dy) {
  const int64_t n = blockIdx.z, i = own_pixel(), area = clips.area();
  const int t = static_cast<int>(blockIdx.y);
  const uint8_t* const block = clips.block(n);
  if (block == nullptr || i >= area) return;
  const ClipFrame& f = clip::frame(block, t);
  if (f.blur_radius <= 0) return;
  const float* const taps = clip::at<float>(block, f.taps);
  const int x = static_cast<int>(i % clips.width), y = static_cast<int>(i / clips.width);
  for (int c = 0; c < (f.gray != 0 ? 1 : 3); ++c) {
    const float* const plane = from + clips.plane(n, t, c);
    const auto read = [&](int k) {
      const int column = x + k * dx, row = y + k * dy;
      const bool inside = column >= 0 && column < clips.width && row >= 0 && row < clips.height;
      return inside ? plane[static_cast<int64_t>(row) * clips.width + column] : 0.0f;
    };
    float sum = read(0) * taps[0];
    for (int k = 1; k <= f.blur_radius; ++k) sum += taps[k] * (read(-k) + read(k));
    to[clips.plane(n, t, c) + i] = sum;
  }
}

inline __device__ void put(float* out, float x) { *out = x; }
struct Bf16 {
  uint16_t bits;
};
struct Half {
  uint16_t bits;
};
inline __device__ void put(Bf16* out, float x) { out->bits = static_cast<uint16_t>(pack_bf16(x, 0)); }
inline __device__ void put(Half* out, float x) { out->bits = static_cast<uint16_t>(pack_half(x, 0)); }

/// A value before the input's kind is made of it.
inline __device__ float kept(const Clips& clips, const uint8_t* block, int64_t n, int t, int c, int64_t i) {
  const ClipFrame& f = clip::frame(block, t);
  const ClipHeader& h = clip::header(block);
  const float x = clips.planes[clips.plane(n, t, f.gray != 0 ? 0 : c) + i];
  return clip::solarized(f, x) * h.scale[c] + h.offset[c];
}

/// The same with a still frame mixed in.
inline __device__ float blended(const Clips& clips, const uint8_t* block, int64_t n, int t, int c,
                                int64_t i) {
  const ClipHeader& h = clip::header(block);
  const float x = kept(clips, block, n, t, c, i);
  if (h.still == 0 && h.mean_share == 0) return x;
  return x + h.still * (kept(clips, block, n, h.still_frame, c, i) - x);
}

template <typename T>
__global__ void __launch_bounds__(kThreads) store(T* out, const Clips clips) {
  const int64_t n = blockIdx.z, i = own_pixel(), area = clips.area();
  const int t = static_cast<int>(blockIdx.y);
  if (i >= area) return;
  T* const to = out + ((n * clips.frames + t) * area + i) * 3;
  const uint8_t* const block = clips.block(n);
  for (int c = 0; c < 3; ++c) {
    float value = 0;
    if (block != nullptr) {
      const ClipHeader& h = clip::header(block);
      if (h.input == ClipInput::kRgb) {
        value = blended(clips, block, n, t, c, i);
        if (h.mean_share != 0) {
          float sum = 0;
          for (int other = 0; other < clips.frames; ++other) sum += blended(clips, block, n, other, c, i);
          value -= sum * h.mean_share;
        }
      } else if (h.input == ClipInput::kTemporalMeanRemoved) {
        float sum = 0;
        for (int other = 0; other < clips.frames; ++other) sum += kept(clips, block, n, other, c, i);
        const float share = 1.0f / static_cast<float>(clips.frames);
        value = (kept(clips, block, n, t, c, i) - sum * share) * h.inverse_std[c];
      } else if (clips.frames > 1) {
        const int next = t + 1 < clips.frames ? t + 1 : t;
        value =
            (kept(clips, block, n, next, c, i) - kept(clips, block, n, next - 1, c, i)) * h.inverse_std[c];
      }
    }
    put(to + c, value);
  }
}

void validate(const ClipsShape& s) {
  const auto within = [](int64_t value, int64_t low, int64_t high, const char* name) {
    if (value < low || value > high)
      throw Error(kInvalidArgument, "expected " + std::to_string(low) + " to " + std::to_string(high) +
                                        " for " + name + " but received " + std::to_string(value));
  };
  within(s.clips, 0, 65535, "clips");  // blocks of a grid
  within(s.frames, 1, 2000, "frames");
  within(s.height, 1, 8192, "height");
  within(s.width, 1, 8192, "width");
  within(s.contrasts, 0, 1 << 20, "contrasts");
}

std::size_t carve(Clips& clips, void* workspace, const ClipsShape& s) {
  const int64_t rows = s.clips * s.frames * 3, area = static_cast<int64_t>(s.height) * s.width;
  Carver carver(workspace);
  carver.take(clips.planes, rows * area);
  carver.take(clips.blurred, s.blurs ? rows * area : 0);
  carver.take(clips.lanes, s.contrasts > 0 ? rows * chunks_of(s) * kLanes : 0);
  carver.take(clips.means, rows);
  return carver.bytes();
}

template <typename T>
void store_as(void* out, const Clips& clips, const LaunchShape& pixels, cudaStream_t stream) {
  launch("storing clips", store<T>, pixels, stream, static_cast<T*>(out), clips);
}

}  // namespace

std::size_t clips_workspace(const ClipsShape& shape) {
  validate(shape);
  Clips clips = {};
  return carve(clips, nullptr, shape);
}

void make_clips(void* out, const void* blocks, const int64_t* offsets, const ClipsShape& shape,
                void* workspace, std::size_t workspace_bytes, cudaStream_t stream) {
  validate(shape);
  if (shape.clips == 0) return;
  require_pointers({out, blocks, offsets});
  Clips clips = {};
  require_workspace(workspace, workspace_bytes, carve(clips, workspace, shape));
  clips.blocks = static_cast<const uint8_t*>(blocks);
  clips.offsets = offsets;
  clips.frames = shape.frames;
  clips.height = shape.height;
  clips.width = shape.width;

  const int64_t area = static_cast<int64_t>(shape.height) * shape.width;
  const auto frames = static_cast<unsigned>(shape.frames), count = static_cast<unsigned>(shape.clips);
  LaunchShape pixels = {};
  pixels.grid = dim3(static_cast<unsigned>((area + kThreads - 1) / kThreads), frames, count);
  pixels.threads = kThreads;
  LaunchShape sums = {};
  sums.grid = dim3(static_cast<unsigned>(chunks_of(shape)), frames, count);
  sums.threads = 3 * kLanes;
  LaunchShape means = {};
  means.grid = dim3(count);
  means.threads = kThreads;
  means.shared_bytes = 3 * sizeof(double) * frames;
  for (int sweep = 0; sweep <= shape.contrasts; ++sweep) {
    if (sweep > 0) {
      launch("adding up clips", add_lanes, sums, stream, clips);
      launch("taking means of clips", add_means, means, stream, clips, chunks_of(shape) * kLanes);
    }
    launch("colouring clips", color, pixels, stream, clips, sweep);
  }
  if (shape.blurs) {
    launch("blurring clips", blur, pixels, stream, clips, clips.planes, clips.blurred, 1, 0);
    launch("blurring clips", blur, pixels, stream, clips, clips.blurred, clips.planes, 0, 1);
  }
  if (shape.type == Element::kBf16)
    store_as<Bf16>(out, clips, pixels, stream);
  else if (shape.type == Element::kHalf)
    store_as<Half>(out, clips, pixels, stream);
  else
    store_as<float>(out, clips, pixels, stream);
}

}  // namespace vssl::cuda
