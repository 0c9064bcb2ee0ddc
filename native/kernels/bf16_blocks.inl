// Blocks of outputs in the registers of AVX-512, for the convolutions that multiply bf16.

constexpr int kAccumulators = 28;  // of 32 registers

// Two values of x, in all lanes.
inline __m512bh broadcast(const uint16_t* x) {
  int32_t pair;
  __builtin_memcpy(&pair, x, sizeof pair);
  return (__m512bh)_mm512_set1_epi32(pair);
}

// The last whole block ends with the rows, and may make some a second time.
template <class Kernel, int kCount, class Call>
void blocks_of(const Call& call, int64_t rows) {
  for (int64_t i = 0; i < rows; i += kCount)
    Kernel::template run<kCount>(call, std::min<int64_t>(i, rows - kCount));
}

// Kernel::run<COUNT>(call, first) for blocks of at most kMost rows, a multiple of 7: of those that fit into
// the rows the one that makes the fewest in all; the widest of equals.
template <class Kernel, int kMost, class Call>
void in_blocks(const Call& call, int64_t rows) {
  struct Blocks {
    int64_t count;
    void (*run)(const Call& call, int64_t rows);
  };
  constexpr Blocks kinds[] = {{kMost, blocks_of<Kernel, kMost, Call>},
                              {kMost * 6 / 7, blocks_of<Kernel, kMost * 6 / 7, Call>},
                              {kMost * 5 / 7, blocks_of<Kernel, kMost * 5 / 7, Call>},
                              {kMost * 4 / 7, blocks_of<Kernel, kMost * 4 / 7, Call>},
                              {4, blocks_of<Kernel, 4, Call>},
                              {1, blocks_of<Kernel, 1, Call>}};
  const Blocks* best = nullptr;
  int64_t fewest = 0;
  for (const Blocks& kind : kinds) {
    const int64_t made = (rows + kind.count - 1) / kind.count * kind.count;
    if (kind.count > rows || (best != nullptr && made >= fewest)) continue;
    best = &kind;
    fewest = made;
  }
  best->run(call, rows);
}
