// NT-Xent inner loops in plain C++: four lanes, which compilers map to SSE2 or NEON.
#include <cstring>

#include "ntxent_tiles.h"

namespace vssl::ntxent {
namespace portable {
namespace {

#include "isa_portable.inl"
inline void stream(float* p, Vec v) { store(p, v); }
inline void finish_streaming() {}
#include "isa_vector_exp2.inl"
#include "ntxent_products.inl"
#include "ntxent_tiles.inl"

}  // namespace
}  // namespace portable

const TileKernels& portable_tiles() { return portable::kTable; }

}  // namespace vssl::ntxent
