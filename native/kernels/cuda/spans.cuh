// Work over many arrays in few launches: spans travel by value with a launch, in batches, cut into chunks; a
// block takes a chunk of one span.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "device.cuh"
#include "launch.h"
#include "layout.h"

namespace vssl::cuda {

constexpr int kSpanThreads = 256;
constexpr int kFours = 4;  // groups of four values a thread
constexpr int64_t kSpanChunk = kSpanThreads * kFours * 4;
constexpr int64_t kMostChunks = int64_t{1} << 30;

/// An argument of a kernel; all arguments together stay below 4 KB.
template <typename Span, int kMostSpans>
struct SpanBatch {
  static constexpr int kMost = kMostSpans;
  Span spans[kMost];
  int begins[kMost];  ///< the first chunk of each span
  int count;
};

/// What a block works on.
struct ChunkPlace {
  int span;
  int64_t begin;  ///< in values of the span
  int64_t rest;   ///< values from there on; a chunk has kSpanChunk of them at most
};

template <typename Batch>
inline __device__ ChunkPlace chunk_place(const Batch& batch) {
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
  const int64_t begin = static_cast<int64_t>(chunk - batch.begins[low]) * kSpanChunk;
  return {low, begin, batch.spans[low].size - begin};
}

inline __device__ bool aligned_to_four(const float* p) {
  return (reinterpret_cast<std::uintptr_t>(p) & 15) == 0;
}

inline __device__ void load_four(float (&values)[4], const float* from) {
  const float4 four = *reinterpret_cast<const float4*>(from);
  values[0] = four.x;
  values[1] = four.y;
  values[2] = four.z;
  values[3] = four.w;
}

/// Calls step(states, input) with entry i of each state and of the input, for all entries of the block's
/// chunk; states are written back. Four entries at once where all addresses allow it.
template <int kStates, typename Step>
inline __device__ void for_entries(float* const (&states)[kStates], const float* input, int64_t rest,
                                   Step&& step) {
  constexpr int kBatch = kStates == 1 ? 4 : 2;  // fours under way
  const int thread = static_cast<int>(threadIdx.x);
  bool aligned = aligned_to_four(input);
#pragma unroll
  for (int k = 0; k < kStates; ++k) aligned = aligned && aligned_to_four(states[k]);
  if (!aligned || rest < kSpanChunk) {
    const int count = static_cast<int>(rest < kSpanChunk ? rest : kSpanChunk);
    for (int i = thread; i < count; i += kSpanThreads) {
      float values[kStates];
#pragma unroll
      for (int k = 0; k < kStates; ++k) values[k] = states[k][i];
      step(values, input[i]);
#pragma unroll
      for (int k = 0; k < kStates; ++k) states[k][i] = values[k];
    }
    return;
  }
#pragma unroll
  for (int four = 0; four < kFours; four += kBatch) {
    float inputs[kBatch][4], fours[kBatch][kStates][4];
#pragma unroll
    for (int b = 0; b < kBatch; ++b) {
      const int i = ((four + b) * kSpanThreads + thread) * 4;
      load_four(inputs[b], input + i);
#pragma unroll
      for (int k = 0; k < kStates; ++k) load_four(fours[b][k], states[k] + i);
    }
#pragma unroll
    for (int b = 0; b < kBatch; ++b) {
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        float values[kStates];
#pragma unroll
        for (int k = 0; k < kStates; ++k) values[k] = fours[b][k][j];
        step(values, inputs[b][j]);
#pragma unroll
        for (int k = 0; k < kStates; ++k) fours[b][k][j] = values[k];
      }
      const int i = ((four + b) * kSpanThreads + thread) * 4;
#pragma unroll
      for (int k = 0; k < kStates; ++k) {
        const float(&to)[4] = fours[b][k];
        *reinterpret_cast<float4*>(states[k] + i) = make_float4(to[0], to[1], to[2], to[3]);
      }
    }
  }
}

/// Calls enqueue(batch, chunks) for batches of spans, span_at(0) to span_at(count - 1) in order.
template <typename Batch, typename SpanAt, typename Enqueue>
void for_batches(int64_t count, SpanAt&& span_at, Enqueue&& enqueue) {
  Batch batch = {};
  int64_t chunks = 0;
  const auto flush = [&] {
    if (chunks > 0) enqueue(batch, chunks);
    batch.count = 0;
    chunks = 0;
  };
  for (int64_t i = 0; i < count; ++i) {
    const auto span = span_at(i);
    const int64_t of_span = ceil_div(span.size, kSpanChunk);
    if (of_span == 0) continue;
    if (batch.count == Batch::kMost || chunks + of_span > kMostChunks) flush();
    batch.spans[batch.count] = span;
    batch.begins[batch.count] = static_cast<int>(chunks);
    ++batch.count;
    chunks += of_span;
  }
  flush();
}

/// The launch of a batch's chunks.
inline LaunchShape chunk_launch(int64_t chunks) {
  LaunchShape shape = {};
  shape.grid = dim3(static_cast<unsigned>(chunks));
  shape.threads = kSpanThreads;
  return shape;
}

inline void validate_spans(const void* spans, int64_t count) {
  if (count < 0 || (count > 0 && spans == nullptr))
    throw Error(kInvalidArgument, "expected spans but received null or a count below 0");
}

/// A span's size and the arrays that it must have.
inline void validate_span(int64_t size, std::initializer_list<const void*> arrays) {
  if (size < 0 || ceil_div(size, kSpanChunk) > kMostChunks)
    throw Error(kInvalidArgument, "expected 0 or more for a span's size, and at most 2^42");
  for (const void* array : arrays) {
    if (size > 0 && array == nullptr)
      throw Error(kInvalidArgument, "expected the arrays of a span but received null");
  }
}

}  // namespace vssl::cuda
