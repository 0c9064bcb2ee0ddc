// Precompiled for the whole room: most of its compile time is in these headers.
#include "tensor.h"
