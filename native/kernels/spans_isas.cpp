// Loops over long spans, once for each instruction set.
#include <type_traits>

#include "cosines.h"
#include "spans.h"

#define VSSL_FAMILY vssl::spans
#define VSSL_LOOPS "spans.inl"
#include "isa_each.inl"
