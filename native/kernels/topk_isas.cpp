// The inner loops of topk_dot(), once for each instruction set.
#include <algorithm>
#include <limits>

#include "topk_loops.h"

#define VSSL_FAMILY vssl::topk
#define VSSL_LOOPS "topk_loops.inl"
#include "isa_each.inl"
