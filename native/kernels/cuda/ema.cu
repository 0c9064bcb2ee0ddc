// Exponential moving average over many tensors.
#include <string>

#include "kernels_cuda.h"
#include "spans.cuh"

namespace vssl::cuda {
namespace {

using Batch = SpanBatch<EmaSpan, 96>;

struct Blend {
  float weight;
  bool to_source;  // target + weight (source - target), else source + weight (target - source)
};

inline __device__ float blended(float target, float source, Blend blend) {
  return blend.to_source ? fmaf(blend.weight, source - target, target)
                         : fmaf(blend.weight, target - source, source);
}

__global__ void __launch_bounds__(kSpanThreads)
    blend_spans(const __grid_constant__ Batch batch, const Blend blend) {
  const ChunkPlace place = chunk_place(batch);
  const EmaSpan span = batch.spans[place.span];
  float* const states[1] = {span.target + place.begin};
  for_entries(states, span.source + place.begin, place.rest,
              [&](float(&target)[1], float source) { target[0] = blended(target[0], source, blend); });
}

}  // namespace

void ema_update(const EmaSpan* spans, int64_t count, double momentum, cudaStream_t stream) {
  validate_spans(spans, count);
  if (!(momentum >= 0 && momentum <= 1)) {
    throw Error(kInvalidArgument, "expected 0 to 1 for momentum but received " + std::to_string(momentum));
  }
  for (int64_t i = 0; i < count; ++i) validate_span(spans[i].size, {spans[i].target, spans[i].source});
  Blend blend = {};
  blend.to_source = momentum >= 0.5;
  blend.weight = static_cast<float>(blend.to_source ? 1 - momentum : momentum);
  for_batches<Batch>(
      count, [&](int64_t i) { return spans[i]; },
      [&](const Batch& batch, int64_t chunks) {
        launch("blending spans", blend_spans, chunk_launch(chunks), stream, batch, blend);
      });
}

}  // namespace vssl::cuda
