#include "rows.h"

#include <cstring>

#include "../kernels/isa.h"

namespace vssl::video {

extern const RowOps kRowsPortable;
#if defined(__x86_64__) && defined(__GNUC__)
extern const RowOps kRowsAvx2, kRowsAvx512;
#endif

const RowOps* row_ops_named(const char* isa) {
  if (std::strcmp(isa, "portable") == 0) return &kRowsPortable;
#if defined(__x86_64__) && defined(__GNUC__)
  __builtin_cpu_init();
  if (std::strcmp(isa, "avx2") == 0 && __builtin_cpu_supports("avx2")) return &kRowsAvx2;
  if (std::strcmp(isa, "avx512") == 0 && __builtin_cpu_supports("avx512f") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq")) {
    return &kRowsAvx512;
  }
#endif
  return nullptr;
}

const RowOps& row_ops() {
  const RowOps* ops = row_ops_named(isa_name(selected_isa()));
  return ops ? *ops : kRowsPortable;
}

}  // namespace vssl::video
