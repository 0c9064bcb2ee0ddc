// NT-Xent's inner loops, once for each instruction set.
#include "ntxent_tiles.h"

#define VSSL_FAMILY vssl::ntxent
#define VSSL_LOOPS "ntxent_tiles.inl"
#include "isa_each.inl"
