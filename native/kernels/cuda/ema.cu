// Exponential moving average over many tensors: spans travel by value with the launch, in batches; a block
// takes 4096 values of one span.
#include <string>

#include "device.cuh"
#include "kernels_cuda.h"
#include "launch.h"
#include "layout.h"

namespace vssl::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kFours = 4;  // groups of four values a thread
constexpr int64_t kChunk = kThreads * kFours * 4;
constexpr int kMostSpans = 96;  // a launch's arguments stay below 4 KB
constexpr int64_t kMostChunks = int64_t{1} << 30;

struct Batch {
  EmaSpan spans[kMostSpans];
  int begins[kMostSpans];  // the first chunk of each span
  int count;
};

struct Blend {
  float weight;
  bool to_source;  // target + weight (source - target), else source + weight (target - source)
};

inline __device__ float blended(float target, float source, Blend blend) {
  return blend.to_source ? fmaf(blend.weight, source - target, target)
                         : fmaf(blend.weight, target - source, source);
}

__global__ void __launch_bounds__(kThreads)
    blend_spans(const __grid_constant__ Batch batch, const Blend blend) {
  const int chunk = static_cast<int>(blockIdx.x);
  int low = 0, high = batch.count;  // the last span that begins at or before the chunk
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    if (batch.begins[middle] <= chunk) {
      low = middle;
    } else {
      high = middle;
    }
  }
  const EmaSpan span = batch.spans[low];
  const int64_t begin = static_cast<int64_t>(chunk - batch.begins[low]) * kChunk;
  const int64_t rest = span.size - begin;
  float* const target = span.target + begin;
  const float* const source = span.source + begin;
  const bool aligned =
      ((reinterpret_cast<std::uintptr_t>(target) | reinterpret_cast<std::uintptr_t>(source)) & 15) == 0;
  if (aligned && rest >= kChunk) {
    float4 t[kFours], s[kFours];
#pragma unroll
    for (int i = 0; i < kFours; ++i) {
      t[i] = reinterpret_cast<const float4*>(target)[i * kThreads + static_cast<int>(threadIdx.x)];
      s[i] = reinterpret_cast<const float4*>(source)[i * kThreads + static_cast<int>(threadIdx.x)];
    }
#pragma unroll
    for (int i = 0; i < kFours; ++i) {
      reinterpret_cast<float4*>(target)[i * kThreads + static_cast<int>(threadIdx.x)] =
          make_float4(blended(t[i].x, s[i].x, blend), blended(t[i].y, s[i].y, blend),
                      blended(t[i].z, s[i].z, blend), blended(t[i].w, s[i].w, blend));
    }
    return;
  }
  const int count = static_cast<int>(rest < kChunk ? rest : kChunk);
  for (int i = static_cast<int>(threadIdx.x); i < count; i += kThreads)
    target[i] = blended(target[i], source[i], blend);
}

}  // namespace

void ema_update(const EmaSpan* spans, int64_t count, double momentum, cudaStream_t stream) {
  if (count < 0 || (count > 0 && spans == nullptr))
    throw Error(kInvalidArgument, "expected spans but received null or a count below 0");
  if (!(momentum >= 0 && momentum <= 1)) {
    throw Error(kInvalidArgument, "expected 0 to 1 for momentum but received " + std::to_string(momentum));
  }
  for (int64_t i = 0; i < count; ++i) {
    if (spans[i].size < 0 || ceil_div(spans[i].size, kChunk) > kMostChunks)
      throw Error(kInvalidArgument, "expected 0 or more for a span's size, and at most 2^42");
    if (spans[i].size > 0 && (spans[i].target == nullptr || spans[i].source == nullptr))
      throw Error(kInvalidArgument, "expected a span's target and source but received null");
  }
  Blend blend = {};
  blend.to_source = momentum >= 0.5;
  blend.weight = static_cast<float>(blend.to_source ? 1 - momentum : momentum);
  Batch batch = {};
  int64_t chunks = 0;
  const auto flush = [&] {
    if (chunks == 0) return;
    LaunchShape shape = {};
    shape.grid = dim3(static_cast<unsigned>(chunks));
    shape.threads = kThreads;
    launch("blending spans", blend_spans, shape, stream, batch, blend);
    batch.count = 0;
    chunks = 0;
  };
  for (int64_t i = 0; i < count; ++i) {
    const int64_t of_span = ceil_div(spans[i].size, kChunk);
    if (of_span == 0) continue;
    if (batch.count == kMostSpans || chunks + of_span > kMostChunks) flush();
    batch.spans[batch.count] = spans[i];
    batch.begins[batch.count] = static_cast<int>(chunks);
    ++batch.count;
    chunks += of_span;
  }
  flush();
}

}  // namespace vssl::cuda
