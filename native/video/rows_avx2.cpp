#if defined(__x86_64__) && defined(__GNUC__)
#pragma GCC optimize("O3", "fp-contract=off", "no-trapping-math", "no-math-errno")
#pragma GCC target("avx2")
#include "rows.h"

#if defined(__clang__)  // knows no target pragma
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#endif
#define VSSL_ROWS_NAMESPACE rows_avx2
#define VSSL_ROWS_LANES 8
#include "rows.inl"

namespace vssl::video {
extern const RowOps kRowsAvx2;
const RowOps kRowsAvx2 = VSSL_ROWS_TABLE("avx2");
}  // namespace vssl::video
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
