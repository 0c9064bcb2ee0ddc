// Ceilings of this machine, measured for a moment beside what is held against them: how fast its cores
// multiply and add, and how fast its memory takes and gives. `vssl-native bench` prints each kernel as a
// fraction of one of them.
//
// Every function uses the ISA path in use, on at most `threads` threads at once (0: one per physical core),
// and may be called from several threads. Outputs may not overlap inputs unless the function says so.
#pragma once

#include <cstdint>

namespace vssl {

/// FLOP/s of fp32 multiply-adds on registers alone, as many independent chains as hide their latency, for
/// about `seconds`. Two FLOP a lane and instruction. Throws vssl::Error (ERR_VSSL_INVALID_ARGUMENT) unless 0
/// < seconds <= 10 and threads >= 0.
double fma_rate(double seconds, int threads);

/// The same of `vdpbf16ps`, four FLOP a lane and instruction; 0 when the path in use has no such instruction.
double bf16_rate(double seconds, int threads);

/// Seconds that reading `bytes` takes, each once, and doing nothing with them.
double read_seconds(const void* source, int64_t bytes, int threads);

/// Seconds that target[i] = source[i] takes, i < count, with stores that go past the caches where the path
/// has them. 8 * count bytes move.
double copy_seconds(float* target, const float* source, int64_t count, int threads);

/// Seconds that target[i] = source[i] takes from bytes to floats, stored likewise: the least that a kernel
/// does which reads uint8 and writes fp32. 5 * count bytes move.
double widen_seconds(float* target, const uint8_t* source, int64_t count, int threads);

/// Seconds that target[i] = scale * a[i] + (1 - scale) * b[i] takes, stored likewise, or by plain stores when
/// `target` is `a`, whose lines are then in the cache already. 12 * count bytes move.
/// Any values will do, but denormal ones are slow on some machines.
double triad_seconds(float* target, const float* a, const float* b, float scale, int64_t count, int threads);

}  // namespace vssl
