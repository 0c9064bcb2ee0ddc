// A family of loops, once for each instruction set of this build, and its table for the one in use. Included
// by a file that has defined VSSL_FAMILY, a namespace, and VSSL_LOOPS, a file that defines kTable over the
// vectors of an isa_*.inl; and that has included all headers which the loops need.
#include <cstdint>
#include <cstring>

#include "isa.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace VSSL_FAMILY {

namespace portable {
namespace {
#include "isa_portable.inl"
#include VSSL_LOOPS
}  // namespace
}  // namespace portable

#if defined(__x86_64__) && defined(__GNUC__)

namespace avx2 {
#include "target_avx2.inl"
namespace {
#include "isa_avx2.inl"
#include VSSL_LOOPS
}  // namespace
#include "target_end.inl"
}  // namespace avx2

namespace avx512 {
#include "target_avx512.inl"
namespace {
#include "isa_avx512.inl"
#include VSSL_LOOPS
}  // namespace
#include "target_end.inl"
}  // namespace avx512

#elif defined(__aarch64__)

namespace neon {  // which every such CPU has
namespace {
#include "isa_neon.inl"
#include VSSL_LOOPS
}  // namespace
}  // namespace neon

#endif

const decltype(portable::kTable)& table_of(Isa isa) {
#if defined(__x86_64__) && defined(__GNUC__)
  if (isa == Isa::kAvx512) return avx512::kTable;
  if (isa == Isa::kAvx2) return avx2::kTable;
#elif defined(__aarch64__)
  if (isa == Isa::kNeon) return neon::kTable;
#endif
  return portable::kTable;  // all that another build selects
}

}  // namespace VSSL_FAMILY
