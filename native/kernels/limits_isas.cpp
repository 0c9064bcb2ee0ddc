// The loops of limits.h, once for each instruction set.
#include "limits_loops.h"

#define VSSL_FAMILY vssl::limits
#define VSSL_LOOPS "limits_loops.inl"
#include "isa_each.inl"
