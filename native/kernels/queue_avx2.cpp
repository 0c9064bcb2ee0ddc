// Inner loops of the queue's loss for AVX2 with FMA.
#include "queue_tiles.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif

namespace vssl::queue {
namespace avx2 {
namespace {

#include "isa_avx2.inl"
#include "isa_vector_exp2.inl"
#include "ntxent_products.inl"
#include "queue_products.inl"
#include "queue_tiles.inl"

}  // namespace
}  // namespace avx2

const QueueTiles& avx2_queue_tiles() { return avx2::kTable; }

}  // namespace vssl::queue

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#else

namespace vssl::queue {
const QueueTiles& avx2_queue_tiles() { return portable_queue_tiles(); }  // never selected here
}  // namespace vssl::queue

#endif
