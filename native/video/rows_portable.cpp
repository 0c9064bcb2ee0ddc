#ifdef __GNUC__
#pragma GCC optimize("O3", "fp-contract=off", "no-trapping-math", "no-math-errno")
#endif
#include "rows.h"

#define VSSL_ROWS_NAMESPACE rows_portable
#define VSSL_ROWS_LANES 4
#include "rows.inl"

namespace vssl::video {
extern const RowOps kRowsPortable;
const RowOps kRowsPortable = VSSL_ROWS_TABLE("portable");
}  // namespace vssl::video
