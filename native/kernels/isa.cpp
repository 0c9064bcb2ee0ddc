#include "isa.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>

#include "../common/error.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#endif

namespace vssl {
namespace {

constexpr Isa kAllIsas[] = {Isa::kPortable, Isa::kNeon, Isa::kAvx2, Isa::kAvx512};

std::atomic<int> forced_isa{-1};

bool cpu_has(Isa isa) {
#if defined(__x86_64__) && defined(__GNUC__)
  switch (isa) {
    case Isa::kPortable:
      return true;
    case Isa::kAvx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case Isa::kAvx512:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && cpu_has(Isa::kAvx2);
    case Isa::kNeon:
      return false;
  }
  return false;
#elif defined(__aarch64__)
  return isa == Isa::kPortable || isa == Isa::kNeon;
#else
  return isa == Isa::kPortable;
#endif
}

bool detected(Isa isa) {
  const auto& all = detected_isas();
  return std::find(all.begin(), all.end(), isa) != all.end();
}

struct Choice {
  Isa isa = Isa::kPortable;
  std::string error;
};

Choice choose() {
  Choice choice;
  choice.isa = detected_isas().back();
  const char* name = std::getenv("VSSL_ISA");
  if (name == nullptr || *name == '\0') return choice;
  for (Isa isa : kAllIsas) {
    if (std::string(isa_name(isa)) != name) continue;
    choice.isa = isa;
    if (!detected(isa)) choice.error = "VSSL_ISA=" + std::string(name) + " is not supported by this CPU";
    return choice;
  }
  choice.error =
      "expected portable, neon, avx2 or avx512 for VSSL_ISA but received '" + std::string(name) + "'";
  return choice;
}

}  // namespace

const char* isa_name(Isa isa) {
  switch (isa) {
    case Isa::kNeon:
      return "neon";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvx512:
      return "avx512";
    default:
      return "portable";
  }
}

const std::vector<Isa>& detected_isas() {
  // Never destroyed: a call may still run while the process exits.
  static const std::vector<Isa>& found = *[] {
    auto* list = new std::vector<Isa>;
    for (Isa isa : kAllIsas) {
      if (cpu_has(isa)) list->push_back(isa);
    }
    return list;
  }();
  return found;
}

Isa selected_isa() {
  const int forced = forced_isa.load(std::memory_order_relaxed);
  if (forced >= 0) return static_cast<Isa>(forced);
  static const Choice& choice = *new Choice(choose());
  if (!choice.error.empty()) throw Error(kInvalidArgument, choice.error);
  return choice.isa;
}

bool has_avx512_bf16() {
#if defined(__x86_64__) && defined(__GNUC__)
  static const bool found = cpu_has(Isa::kAvx512) && __builtin_cpu_supports("avx512bf16");
  return found;
#else
  return false;
#endif
}

bool has_bf16_matrices() {
#if defined(__x86_64__) && defined(__GNUC__)
  constexpr unsigned kAmxBf16 = 1u << 22;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (edx & kAmxBf16) != 0;
#else
  return false;
#endif
}

bool set_isa_for_test(Isa isa) {
  if (!detected(isa)) return false;
  forced_isa.store(static_cast<int>(isa), std::memory_order_relaxed);
  return true;
}

}  // namespace vssl
