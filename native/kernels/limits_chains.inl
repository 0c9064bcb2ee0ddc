// Independent multiply-adds over a vector type. Each chain starts from a value of its own: a compiler makes
// one chain of those that are equal. Included after an isa_*.inl, kChainRows, kChainColumns and
// chain(acc, a, b), one multiply-add that depends on acc.

float multiply_add(int64_t rounds) {
  Vec acc[kChainRows][kChainColumns];
#pragma GCC unroll 8
  for (int r = 0; r < kChainRows; ++r) {
#pragma GCC unroll 4
    for (int c = 0; c < kChainColumns; ++c) acc[r][c] = set1(static_cast<float>(r * kChainColumns + c));
  }
  const Vec a = set1(0.5f), b = set1(1.0f);  // acc tends to 2, or grows by halves
  for (int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 8
    for (int r = 0; r < kChainRows; ++r) {
#pragma GCC unroll 4
      for (int c = 0; c < kChainColumns; ++c) acc[r][c] = chain(acc[r][c], a, b);
    }
  }
  Vec sum = zero();
#pragma GCC unroll 8
  for (int r = 0; r < kChainRows; ++r) {
#pragma GCC unroll 4
    for (int c = 0; c < kChainColumns; ++c) sum = add(sum, acc[r][c]);
  }
  return sum[0];
}
