// EMA of parameters: many spans as one. Equation in kernels.h, inner loop in spans.inl.
#include <algorithm>
#include <vector>

#include "kernels.h"
#include "span_schedule.h"
#include "spans.h"

namespace vssl {
namespace {

constexpr int64_t kChunk = 32 << 10;  // values a ticket

void validate(const EmaSpan* spans, int64_t count, double momentum, int threads) {
  if (count < 0 || (count > 0 && spans == nullptr)) {
    throw Error(kInvalidArgument, "expected a list of spans but received null or a negative count");
  }
  for (int64_t i = 0; i < count; ++i) {
    expect_range(spans[i].size, 0, most_beside(count), "size");
    if (spans[i].size > 0) expect_memory(spans[i].target, spans[i].source);
  }
  if (!(momentum >= 0 && momentum <= 1)) {
    throw Error(kInvalidArgument, "expected 0..1 for momentum but received " + std::to_string(momentum));
  }
  expect_threads(threads);
}

}  // namespace

void ema_update(const EmaSpan* spans, int64_t count, double momentum, int threads) {
  validate(spans, count, momentum, threads);
  const spans::SpanKernels& kernels = spans::span_kernels();
  const bool to_source = momentum >= 0.5;
  const float weight = static_cast<float>(to_source ? 1 - momentum : momentum);
  std::vector<int64_t> begins(count + 1, 0);  // of each span, when all stand in a row
  for (int64_t i = 0; i < count; ++i) begins[i + 1] = begins[i] + spans[i].size;
  const int64_t total = begins[count];
  Phase phase;
  phase.reset((total + kChunk - 1) / kChunk);
  run_team(useful_threads(threads, 12.0 * static_cast<double>(total), spans::kBytesPerThread), [&] {
    phase.run([&](int64_t ticket) {
      const int64_t begin = ticket * kChunk, end = std::min(total, begin + kChunk);
      int64_t i = std::upper_bound(begins.begin(), begins.end(), begin) - begins.begin() - 1;
      for (int64_t at = begin; at < end; ++i) {
        const int64_t offset = at - begins[i], size = std::min(end, begins[i + 1]) - at;
        kernels.blend(spans[i].target + offset, spans[i].source + offset, size, weight, to_source);
        at += size;
      }
    });
  });
}

}  // namespace vssl
