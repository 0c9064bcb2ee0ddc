// Functions from here to target_end.inl are compiled for AVX2 with FMA. No include of a header may stand
// between, or shared inline functions would be compiled for the wrong ISA.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#pragma GCC diagnostic push
#endif
