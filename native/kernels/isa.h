// Which instruction set the kernels use, decided once at run time.
#pragma once

#include <string>
#include <vector>

namespace vssl {

enum class Isa { kPortable, kNeon, kAvx2, kAvx512 };

const char* isa_name(Isa isa);

/// What this CPU (and its operating system) can run, slowest first; always holds kPortable.
const std::vector<Isa>& detected_isas();

/// The path in use: the fastest detected, or the one named by the environment variable VSSL_ISA
/// (portable | neon | avx2 | avx512), read at the first call.
/// Throws vssl::Error (ERR_VSSL_INVALID_ARGUMENT) when VSSL_ISA is unknown or not supported here.
Isa selected_isa();

/// Whether `vdpbf16ps` exists beside AVX-512.
bool has_avx512_bf16();

/// Whether a unit for matrices of bf16 (AMX) exists, which libraries use.
bool has_bf16_matrices();

/// Whether `vdpbf16ps` exists and the path in use is AVX-512. Elsewhere rounding to bf16 would cost time and
/// gain nothing.
inline bool selects_avx512_bf16() { return selected_isa() == Isa::kAvx512 && has_avx512_bf16(); }

/// For tests: overrides the selection for the whole process; false when the CPU lacks it.
bool set_isa_for_test(Isa isa);

}  // namespace vssl
