#include "norm_kernels.h"

#include "../../kernels/isa.h"

namespace vssl::engine {

namespace portable {
namespace {
#include "norm_kernels.inl"
}  // namespace
}  // namespace portable

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define VSSL_NORM_X86 1

#pragma GCC push_options
#pragma GCC optimize("O3")
#pragma GCC target("avx2,fma")
namespace avx2 {
namespace {
#include "norm_kernels.inl"
}  // namespace
}  // namespace avx2
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC optimize("O3")
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,prefer-vector-width=512")
namespace avx512 {
namespace {
#include "norm_kernels.inl"
}  // namespace
}  // namespace avx512
#pragma GCC pop_options
#endif

template <typename T>
const NormKernels<T>& norm_kernels() {
  static const NormKernels<T> chosen = [] {
#ifdef VSSL_NORM_X86
    switch (selected_isa()) {
      case Isa::kAvx512:
        return avx512::table<T>();
      case Isa::kAvx2:
        return avx2::table<T>();
      default:
        break;
    }
#endif
    return portable::table<T>();
  }();
  return chosen;
}

template const NormKernels<float>& norm_kernels<float>();
template const NormKernels<uint16_t>& norm_kernels<uint16_t>();

}  // namespace vssl::engine
