// Blocks of outputs in the registers of AVX-512, for the convolutions that multiply bf16.

constexpr int kAccumulators = 28;  // of 32 registers

// Two values of x, in all lanes.
inline __m512bh broadcast(const uint16_t* x) {
  int32_t pair;
  __builtin_memcpy(&pair, x, sizeof pair);
  return (__m512bh)_mm512_set1_epi32(pair);
}

// Adds to kCount rows, whose pairs of values lie `pitch` values apart, what kVecs vectors of weights give. A
// call would keep the sums in memory.
template <int kVecs, int kCount>
__attribute__((always_inline)) inline void add_products(__m512 (&sum)[kCount][kVecs], const uint32_t* weights,
                                                        const uint16_t* x, int64_t pitch) {
  __m512bh w[kVecs];
#pragma GCC unroll 2
  for (int v = 0; v < kVecs; ++v) w[v] = (__m512bh)_mm512_loadu_si512(weights + v * kLanes);
#pragma GCC unroll 28
  for (int i = 0; i < kCount; ++i) {
    const __m512bh value = broadcast(x + i * pitch);
#pragma GCC unroll 2
    for (int v = 0; v < kVecs; ++v) sum[i][v] = _mm512_dpbf16_ps(sum[i][v], w[v], value);
  }
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
