// The optimisers' passes over many parameters: sums of squares, SGD with momentum (and LARS), AdamW. The
// updates round as the CPU's engine/optim_kernels.cpp does.
#include <string>
#include <vector>

#include "spans.cuh"
#include "training_cuda.h"

namespace vssl::cuda {
namespace {

// A span and the first of its chunks' places among the parts of all sums.
struct PlacedSquares : SquareSpan {
  int64_t part;
};
using SquareBatch = SpanBatch<PlacedSquares, 72>;

/// parts[part of the span + chunk of it] = the chunk's sum. A thread adds the same entries in the same order
/// wherever the arrays lie.
__global__ void __launch_bounds__(kSpanThreads)
    sum_squares(double* parts, const __grid_constant__ SquareBatch batch) {
  const ChunkPlace place = chunk_place(batch);
  const PlacedSquares& span = batch.spans[place.span];
  const float* const values = span.values + place.begin;
  const float* const added = span.added == nullptr ? nullptr : span.added + place.begin;
  const bool fours = place.rest >= kSpanChunk && aligned_to_four(values) && aligned_to_four(added);
  const double scale = span.scale, factor = span.factor;
  double sum = 0;
#pragma unroll
  for (int four = 0; four < kFours; ++four) {
    const int at = (four * kSpanThreads + static_cast<int>(threadIdx.x)) * 4;
    float x[4] = {}, more[4] = {};
    if (fours) {
      load_four(x, values + at);
      if (added != nullptr) load_four(more, added + at);
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if (at + i >= place.rest) continue;
      if (!fours) {
        x[i] = values[at + i];
        if (added != nullptr) more[i] = added[at + i];
      }
      const double term = added == nullptr ? scale * x[i] : scale * x[i] + factor * more[i];
      sum = fma(term, term, sum);
    }
  }
  sum = block_sum(sum, reinterpret_cast<double*>(shared_memory()));
  if (threadIdx.x == 0) parts[span.part + place.begin / kSpanChunk] = sum;
}

// Of sums first to first + count - 1 where their parts begin; one more for the end of the last.
struct SumRanges {
  static constexpr int kMost = 400;
  int64_t begins[kMost + 1];
};

__global__ void __launch_bounds__(kSpanThreads)
    add_ranges(double* sums, const double* parts, const __grid_constant__ SumRanges ranges) {
  double sum = 0;
#pragma unroll 4
  for (int64_t i = ranges.begins[blockIdx.x] + threadIdx.x; i < ranges.begins[blockIdx.x + 1];
       i += kSpanThreads)
    sum += parts[i];
  sum = block_sum(sum, reinterpret_cast<double*>(shared_memory()));
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

void validate_squares(const SquareSpan* spans, int64_t count, int64_t outputs) {
  validate_spans(spans, count);
  if (outputs < 1 || outputs > int64_t{1} << 24)
    throw Error(kInvalidArgument, "expected 1 to 2^24 for outputs but received " + std::to_string(outputs));
  for (int64_t i = 0; i < count; ++i) {
    validate_span(spans[i].size, {spans[i].values});
    if (spans[i].into < 0 || spans[i].into >= outputs) {
      throw Error(kInvalidArgument, "expected 0 to below " + std::to_string(outputs) +
                                        " for a span's sum but received " + std::to_string(spans[i].into));
    }
  }
}

/// Where the parts of each sum begin, in the order of spans; at the end their number.
std::vector<int64_t> part_begins(const SquareSpan* spans, int64_t count, int64_t outputs) {
  std::vector<int64_t> begins(static_cast<std::size_t>(outputs) + 1);
  for (int64_t i = 0; i < count; ++i) begins[spans[i].into + 1] += ceil_div(spans[i].size, kSpanChunk);
  for (int64_t i = 0; i < outputs; ++i) begins[i + 1] += begins[i];
  return begins;
}

std::size_t carve_parts(double*& parts, void* workspace, int64_t count) {
  Carver carver(workspace);
  carver.take(parts, count > 0 ? count : 1);
  return carver.bytes();
}

struct PlacedMomentum : MomentumSpan {
  int64_t index;
};
using MomentumBatch = SpanBatch<PlacedMomentum, 56>;

struct MomentumShared {
  const double* squares;  ///< null, or |p|^2 of each span, then |g|^2 of each
  int64_t count;
  float momentum;
  bool nesterov;
};

__global__ void __launch_bounds__(kSpanThreads)
    move_with_momentum(const __grid_constant__ MomentumBatch batch,
                       const __grid_constant__ MomentumShared shared) {
  const ChunkPlace place = chunk_place(batch);
  const PlacedMomentum span = batch.spans[place.span];
  float inner = span.inner;
  if (shared.squares != nullptr && span.trust > 0) {
    const double parameter = sqrt(shared.squares[span.index]);
    const double gradient = sqrt(shared.squares[shared.count + span.index]);
    if (parameter > 0 && gradient > 0)
      inner = static_cast<float>(inner * (span.trust * parameter / gradient));
  }
  float* const states[2] = {span.parameter + place.begin, span.velocity + place.begin};
  for_entries(states, span.gradient + place.begin, place.rest, [&](float(&s)[2], float gradient) {
    const float g = span.scale * gradient + span.decay * s[0];
    const float v = shared.momentum * s[1] + inner * g;
    s[1] = v;
    s[0] -= span.outer * (shared.nesterov ? inner * g + shared.momentum * v : v);
  });
}

using AdamBatch = SpanBatch<AdamSpan, 62>;

__global__ void __launch_bounds__(kSpanThreads)
    move_with_adam(const __grid_constant__ AdamBatch batch, const __grid_constant__ AdamSettings shared) {
  const ChunkPlace place = chunk_place(batch);
  const AdamSpan span = batch.spans[place.span];
  float* const states[3] = {span.parameter + place.begin, span.first + place.begin,
                            span.second + place.begin};
  for_entries(states, span.gradient + place.begin, place.rest, [&](float(&s)[3], float gradient) {
    const float g = span.scale * gradient;
    const float a = shared.beta1 * s[1] + (1 - shared.beta1) * g;
    const float b = shared.beta2 * s[2] + (1 - shared.beta2) * g * g;
    s[1] = a;
    s[2] = b;
    s[0] = span.keep * s[0] - span.rate * a / (sqrtf(b) * span.inverse_root + shared.eps);
  });
}

}  // namespace

std::size_t square_sums_workspace(const SquareSpan* spans, int64_t count, int64_t outputs) {
  validate_squares(spans, count, outputs);
  double* parts = nullptr;
  return carve_parts(parts, nullptr, part_begins(spans, count, outputs).back());
}

void square_sums(double* sums, int64_t outputs, const SquareSpan* spans, int64_t count, void* workspace,
                 std::size_t workspace_bytes, cudaStream_t stream) {
  validate_squares(spans, count, outputs);
  require_pointers({sums});
  const std::vector<int64_t> begins = part_begins(spans, count, outputs);
  double* parts = nullptr;
  require_workspace(workspace, workspace_bytes, carve_parts(parts, workspace, begins.back()));
  std::vector<int64_t> next = begins;
  LaunchShape shape = {};
  for_batches<SquareBatch>(
      count,
      [&](int64_t i) {
        const PlacedSquares span{spans[i], next[spans[i].into]};
        next[spans[i].into] += ceil_div(span.size, kSpanChunk);
        return span;
      },
      [&](const SquareBatch& batch, int64_t chunks) {
        shape = chunk_launch(chunks);
        shape.shared_bytes = kScratchBytes;
        launch("summing squares", sum_squares, shape, stream, parts, batch);
      });
  for (int64_t first = 0; first < outputs; first += SumRanges::kMost) {
    const int64_t rest = outputs - first;
    const int64_t now = rest < SumRanges::kMost ? rest : SumRanges::kMost;
    SumRanges ranges = {};
    for (int64_t i = 0; i <= now; ++i) ranges.begins[i] = begins[first + i];
    shape = chunk_launch(now);
    shape.shared_bytes = kScratchBytes;
    launch("adding sums of squares", add_ranges, shape, stream, sums + first, parts, ranges);
  }
}

void momentum_update(const MomentumSpan* spans, int64_t count, double momentum, bool nesterov,
                     const double* squares, cudaStream_t stream) {
  validate_spans(spans, count);
  if (!(momentum >= 0 && momentum <= 1))
    throw Error(kInvalidArgument, "expected 0 to 1 for momentum but received " + std::to_string(momentum));
  for (int64_t i = 0; i < count; ++i)
    validate_span(spans[i].size, {spans[i].parameter, spans[i].velocity, spans[i].gradient});
  const MomentumShared shared = {squares, count, static_cast<float>(momentum), nesterov};
  for_batches<MomentumBatch>(
      count,
      [&](int64_t i) {
        return PlacedMomentum{spans[i], i};
      },
      [&](const MomentumBatch& batch, int64_t chunks) {
        launch("moving parameters", move_with_momentum, chunk_launch(chunks), stream, batch, shared);
      });
}

void adam_update(const AdamSpan* spans, int64_t count, const AdamSettings& settings, cudaStream_t stream) {
  validate_spans(spans, count);
  const auto is_beta = [](float beta) { return beta >= 0 && beta <= 1; };
  if (!is_beta(settings.beta1) || !is_beta(settings.beta2) || !(settings.eps >= 0))
    throw Error(kInvalidArgument, "expected 0 to 1 for beta1 and beta2, and 0 or more for eps");
  for (int64_t i = 0; i < count; ++i) {
    const AdamSpan& span = spans[i];
    validate_span(span.size, {span.parameter, span.first, span.second, span.gradient});
  }
  for_batches<AdamBatch>(
      count, [&](int64_t i) { return spans[i]; },
      [&](const AdamBatch& batch, int64_t chunks) {
        launch("moving parameters", move_with_adam, chunk_launch(chunks), stream, batch, settings);
      });
}

}  // namespace vssl::cuda
