// NT-Xent inner loops for AVX-512 (F, BW, DQ, VL).
#include "ntxent_tiles.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,prefer-vector-width=512")
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12 sees one in its own _mm512_undefined_ps
#endif

namespace vssl::ntxent {
namespace avx512 {
namespace {

#include "isa_avx512.inl"
#include "isa_vector_exp2.inl"
#include "ntxent_products.inl"
#include "ntxent_tiles.inl"

}  // namespace
}  // namespace avx512

const TileKernels& avx512_tiles() { return avx512::kTable; }

}  // namespace vssl::ntxent

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC diagnostic pop
#pragma GCC pop_options
#endif

#else

namespace vssl::ntxent {
const TileKernels& avx512_tiles() { return portable_tiles(); }  // never selected here
}  // namespace vssl::ntxent

#endif
