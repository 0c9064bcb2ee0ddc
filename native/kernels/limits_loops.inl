// The loops of limits.h over the vectors of an isa_*.inl.

constexpr int kChainRows = kWidth == 16 ? 8 : 6;
constexpr int kChainColumns = 2;
inline Vec chain(Vec acc, Vec a, Vec b) { return fma(acc, a, b); }

#include "limits_chains.inl"
#include "limits_streams.inl"

const LimitLoops kTable = {multiply_add, 2.0 * kWidth* kChainRows* kChainColumns, read, copy, widen, triad};
