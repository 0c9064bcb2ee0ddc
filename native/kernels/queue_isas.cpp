// The inner loops of the queue's loss, once for each instruction set.
#include "queue_tiles.h"

#define VSSL_FAMILY vssl::queue
#define VSSL_LOOPS "queue_tiles.inl"
#include "isa_each.inl"
