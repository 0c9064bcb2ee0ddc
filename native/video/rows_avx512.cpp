#if defined(__x86_64__) && defined(__GNUC__)
#pragma GCC optimize("O3", "fp-contract=off", "no-trapping-math", "no-math-errno")
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,prefer-vector-width=512")
#include <immintrin.h>

#include "rows.h"

#define VSSL_ROWS_NAMESPACE rows_avx512
#define VSSL_ROWS_LANES 16
#define VSSL_ROWS_PERMUTE
#include "rows.inl"

namespace vssl::video {
extern const RowOps kRowsAvx512;
const RowOps kRowsAvx512 = VSSL_ROWS_TABLE("avx512");
}  // namespace vssl::video
#endif
