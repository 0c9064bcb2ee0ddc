// DCT along time, motion and frame difference. A thread takes pixels one by one (a warp 32 neighbours), with
// all of a pixel's frames in registers; a block makes the matrix once in shared memory and walks the clip.
#include <string>
#include <type_traits>

#include "device.cuh"
#include "kernels_cuda.h"
#include "launch.h"
#include "layout.h"

namespace vssl::cuda {
namespace {

constexpr int kMostFrames = 64;
constexpr int kThreads = 128;
constexpr int64_t kMostBlocks = 132 * 16;  // more would make the matrix more often than it pays

struct ClipShape {
  int64_t pixels;
  int frames;  // T of the transform
  int inputs, outputs;
  bool inverse;
};

// cos(pi (2t + 1) k / 2T) c_k, the angle reduced in integers.
inline __device__ float basis(int t, int k, int frames) {
  const int angle = (2 * t + 1) * k % (4 * frames);
  const double scale = sqrt((k == 0 ? 1.0 : 2.0) / frames);
  return static_cast<float>(scale * cospi(angle / (2.0 * frames)));
}

// A pixel's frames; those beyond `count` are 0.
template <int kFrames, typename In>
inline __device__ void read_pixel(float (&x)[kFrames], const In* clip, int64_t pixel, int64_t pixels,
                                  int count) {
#pragma unroll
  for (int t = 0; t < kFrames; ++t) x[t] = t < count ? static_cast<float>(clip[t * pixels + pixel]) : 0.0f;
}

template <int kFrames>
inline __device__ float product(const float* row, const float (&x)[kFrames]) {
  float sum = 0;
#pragma unroll
  for (int i = 0; i < kFrames; i += 4) {
    const float4 m = *reinterpret_cast<const float4*>(row + i);
    sum = fmaf(m.x, x[i], sum);
    sum = fmaf(m.y, x[i + 1], sum);
    sum = fmaf(m.z, x[i + 2], sum);
    sum = fmaf(m.w, x[i + 3], sum);
  }
  return sum;
}

// out_o = sum_i M_oi x_i, rows of M padded with zeros to kFrames.
template <int kFrames, typename In>
__global__ void __launch_bounds__(kThreads)
    transform(float* out, const In* clip, const __grid_constant__ ClipShape shape) {
  float* const matrix = reinterpret_cast<float*>(shared_memory());
  for (int i = static_cast<int>(threadIdx.x); i < shape.outputs * kFrames; i += kThreads) {
    const int to = i / kFrames, from = i % kFrames;
    const int t = shape.inverse ? to : from, k = shape.inverse ? from : to;
    matrix[i] = from < shape.inputs ? basis(t, k, shape.frames) : 0.0f;
  }
  __syncthreads();
  const int64_t step = static_cast<int64_t>(gridDim.x) * kThreads;
  for (int64_t pixel = static_cast<int64_t>(blockIdx.x) * kThreads + static_cast<int>(threadIdx.x);
       pixel < shape.pixels; pixel += step) {
    float x[kFrames];
    read_pixel(x, clip, pixel, shape.pixels, shape.inputs);
#pragma unroll 2
    for (int o = 0; o < shape.outputs; ++o) out[o * shape.pixels + pixel] = product(matrix + o * kFrames, x);
  }
}

struct MotionShape {
  int64_t pixels;
  int frames;
  int first, end;  // coefficients to take off y, or, when `keeps`, to make m of
  bool keeps, shifts, energy;
};

// m = y - B A y, or B A y; y is the pixel less its first frame where that changes nothing but rounding.
template <int kFrames, typename In>
__global__ void __launch_bounds__(kThreads)
    motion(float* out, const In* clip, const __grid_constant__ MotionShape shape) {
  float* const matrix = reinterpret_cast<float*>(shared_memory());
  for (int i = static_cast<int>(threadIdx.x); i < (shape.end - shape.first) * kFrames; i += kThreads) {
    const int t = i % kFrames;
    matrix[i] = t < shape.frames ? basis(t, shape.first + i / kFrames, shape.frames) : 0.0f;
  }
  __syncthreads();
  const int64_t step = static_cast<int64_t>(gridDim.x) * kThreads;
  for (int64_t pixel = static_cast<int64_t>(blockIdx.x) * kThreads + static_cast<int>(threadIdx.x);
       pixel < shape.pixels; pixel += step) {
    float y[kFrames], m[kFrames];
    read_pixel(y, clip, pixel, shape.pixels, shape.frames);
    const float first = shape.shifts ? y[0] : 0.0f;
#pragma unroll
    for (int t = 0; t < kFrames; ++t) {
      if (t < shape.frames) y[t] -= first;
      m[t] = shape.keeps ? 0.0f : y[t];
    }
    for (int k = 0; k < shape.end - shape.first; ++k) {
      const float* const row = matrix + k * kFrames;
      const float coefficient = product(row, y);
      const float signed_coefficient = shape.keeps ? coefficient : -coefficient;
#pragma unroll
      for (int t = 0; t < kFrames; ++t) m[t] = fmaf(signed_coefficient, row[t], m[t]);
    }
    float energy = 0;
#pragma unroll
    for (int t = 0; t < kFrames; ++t) {
      energy = fmaf(m[t], m[t], energy);
      if (!shape.energy && t < shape.frames) out[t * shape.pixels + pixel] = m[t];
    }
    if (shape.energy) out[pixel] = energy;
  }
}

// A pixel's frame is read before it is overwritten, so out may be the clip.
template <typename In>
__global__ void __launch_bounds__(kThreads)
    difference(float* out, const In* clip, int64_t frames, int64_t pixels) {
  const int64_t pixel = static_cast<int64_t>(blockIdx.x) * kThreads + static_cast<int>(threadIdx.x);
  if (pixel >= pixels) return;
  float before = static_cast<float>(clip[pixel]);
  for (int64_t t = 1; t < frames; ++t) {
    const float now = static_cast<float>(clip[t * pixels + pixel]);
    out[(t - 1) * pixels + pixel] = now - before;
    before = now;
  }
}

LaunchShape walking_shape(int64_t pixels, std::size_t shared_floats) {
  const int64_t blocks = ceil_div(pixels, kThreads);
  LaunchShape shape = {};
  shape.grid = dim3(static_cast<unsigned>(blocks < kMostBlocks ? blocks : kMostBlocks));
  shape.threads = kThreads;
  shape.shared_bytes = shared_floats * sizeof(float);
  return shape;
}

// Calls with the registers' number of frames: the next power of two from 4 on.
template <typename Call>
void for_frames(int frames, Call&& call) {
  if (frames <= 4) {
    call(std::integral_constant<int, 4>());
  } else if (frames <= 8) {
    call(std::integral_constant<int, 8>());
  } else if (frames <= 16) {
    call(std::integral_constant<int, 16>());
  } else if (frames <= 32) {
    call(std::integral_constant<int, 32>());
  } else {
    call(std::integral_constant<int, 64>());
  }
}

void validate_clip(const void* out, const void* clip, int64_t frames, int64_t least, int64_t most,
                   int64_t pixels) {
  require_pointers({out, clip});
  if (frames < least || frames > most) {
    throw Error(kInvalidArgument, "expected " + std::to_string(least) + " to " + std::to_string(most) +
                                      " for frames but received " + std::to_string(frames));
  }
  if (pixels < 1 || pixels > int64_t{1} << 36)
    throw Error(kInvalidArgument, "expected 1 to 2^36 for pixels but received " + std::to_string(pixels));
}

template <typename In>
void run_dct(float* out, const In* clip, int64_t frames, int64_t pixels, const DctOptions& options,
             cudaStream_t stream) {
  validate_clip(out, clip, frames, 1, kMostFrames, pixels);
  if (options.keep < 0 || options.keep > frames) {
    throw Error(kInvalidArgument,
                "expected 0 to the number of frames for keep but received " + std::to_string(options.keep));
  }
  const int keep = static_cast<int>(options.keep == 0 ? frames : options.keep);
  ClipShape shape = {};
  shape.pixels = pixels;
  shape.frames = static_cast<int>(frames);
  shape.inputs = options.inverse ? keep : shape.frames;
  shape.outputs = options.inverse ? shape.frames : keep;
  shape.inverse = options.inverse;
  for_frames(shape.inputs, [&](auto size) {
    constexpr int kFrames = decltype(size)::value;
    launch("transforming a clip", transform<kFrames, In>,
           walking_shape(pixels, static_cast<std::size_t>(shape.outputs) * kFrames), stream, out, clip,
           shape);
  });
}

template <typename In>
void run_motion(float* out, const In* clip, int64_t frames, int64_t pixels, const DctMotionOptions& options,
                cudaStream_t stream) {
  validate_clip(out, clip, frames, 1, kMostFrames, pixels);
  if (options.drop_low < 0 || options.drop_low > frames) {
    throw Error(kInvalidArgument, "expected 0 to the number of frames for drop_low but received " +
                                      std::to_string(options.drop_low));
  }
  const int drop = static_cast<int>(options.drop_low);
  MotionShape shape = {};
  shape.pixels = pixels;
  shape.frames = static_cast<int>(frames);
  shape.keeps = 2 * drop > shape.frames;
  shape.first = shape.keeps ? drop : 0;
  shape.end = shape.keeps ? shape.frames : drop;
  shape.shifts = drop > 0;
  shape.energy = options.output == MotionOutput::kEnergy;
  for_frames(shape.frames, [&](auto size) {
    constexpr int kFrames = decltype(size)::value;
    launch("taking a clip's motion", motion<kFrames, In>,
           walking_shape(pixels, static_cast<std::size_t>(shape.end - shape.first) * kFrames), stream, out,
           clip, shape);
  });
}

template <typename In>
void run_difference(float* out, const In* clip, int64_t frames, int64_t pixels, cudaStream_t stream) {
  validate_clip(out, clip, frames, 2, int64_t{1} << 24, pixels);
  LaunchShape shape = {};
  shape.grid = dim3(static_cast<unsigned>(ceil_div(pixels, kThreads)));
  shape.threads = kThreads;
  launch("subtracting frames", difference<In>, shape, stream, out, clip, frames, pixels);
}

}  // namespace

void dct(float* out, const float* clip, int64_t frames, int64_t pixels, const DctOptions& options,
         cudaStream_t stream) {
  run_dct(out, clip, frames, pixels, options, stream);
}

void dct(float* out, const uint8_t* clip, int64_t frames, int64_t pixels, const DctOptions& options,
         cudaStream_t stream) {
  run_dct(out, clip, frames, pixels, options, stream);
}

void dct_motion(float* out, const float* clip, int64_t frames, int64_t pixels,
                const DctMotionOptions& options, cudaStream_t stream) {
  run_motion(out, clip, frames, pixels, options, stream);
}

void dct_motion(float* out, const uint8_t* clip, int64_t frames, int64_t pixels,
                const DctMotionOptions& options, cudaStream_t stream) {
  run_motion(out, clip, frames, pixels, options, stream);
}

void frame_difference(float* out, const float* clip, int64_t frames, int64_t pixels, cudaStream_t stream) {
  run_difference(out, clip, frames, pixels, stream);
}

void frame_difference(float* out, const uint8_t* clip, int64_t frames, int64_t pixels, cudaStream_t stream) {
  run_difference(out, clip, frames, pixels, stream);
}

}  // namespace vssl::cuda
