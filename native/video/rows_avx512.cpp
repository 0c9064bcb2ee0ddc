#if defined(__x86_64__) && defined(__GNUC__)
#pragma GCC optimize("O3", "fp-contract=off", "no-trapping-math", "no-math-errno")
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,prefer-vector-width=512")
#include <immintrin.h>

#include "rows.h"

#if defined(__clang__)  // knows no target pragma
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq"))), \
                             apply_to = function)
#endif
#define VSSL_ROWS_NAMESPACE rows_avx512
#define VSSL_ROWS_LANES 16
#define VSSL_ROWS_PERMUTE
#include "rows.inl"

namespace vssl::video {
extern const RowOps kRowsAvx512;
const RowOps kRowsAvx512 = VSSL_ROWS_TABLE("avx512");
}  // namespace vssl::video
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
