// Loops over memory and the vectors of an isa_*.inl.

uint64_t read(const uint64_t* words, int64_t count) {
  uint64_t sum = 0;  // compilers make vectors of it
  for (int64_t i = 0; i < count; ++i) sum += words[i];
  return sum;
}

void copy(float* target, const float* source, int64_t count) {
  int64_t i = 0;
  for (; i + 4 * kWidth <= count; i += 4 * kWidth) {
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) stream(target + i + v * kWidth, load(source + i + v * kWidth));
  }
  for (; i < count; ++i) target[i] = source[i];
  finish_streaming();
}

void widen(float* target, const uint8_t* source, int64_t count) {
  int64_t i = 0;
  for (; i + 4 * kWidth <= count; i += 4 * kWidth) {
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) stream(target + i + v * kWidth, load(source + i + v * kWidth));
  }
  for (; i < count; ++i) target[i] = source[i];
  finish_streaming();
}

void triad(float* target, const float* a, const float* b, float scale, int64_t count, bool in_place) {
  const Vec wide = set1(scale), rest = set1(1 - scale);
  int64_t i = 0;
  for (; i + 4 * kWidth <= count; i += 4 * kWidth) {
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) {
      const int64_t at = i + v * kWidth;
      const Vec sum = fma(wide, load(a + at), mul(rest, load(b + at)));
      if (in_place) {
        store(target + at, sum);
      } else {
        stream(target + at, sum);
      }
    }
  }
  for (; i < count; ++i) target[i] = scale * a[i] + (1 - scale) * b[i];
  finish_streaming();
}
