// Inner loops of the queue's loss in plain C++: four lanes, which compilers map to SSE2 or NEON.
#include <cstring>

#include "queue_tiles.h"

namespace vssl::queue {
namespace portable {
namespace {

#include "isa_portable.inl"
#include "isa_vector_exp2.inl"
#include "ntxent_products.inl"
#include "queue_products.inl"
#include "queue_tiles.inl"

}  // namespace
}  // namespace portable

const QueueTiles& portable_queue_tiles() { return portable::kTable; }

}  // namespace vssl::queue
