// The exponential over a vector type; included after it, under the same rules.

// 2^x for x from kMinExponent to 0 or so, relative error 1.2e-7: round to an integer, minimax polynomial of
// degree 5, scale.
inline Vec exp2_in_range(Vec x) {
  const Vec n = round_to_int(x);
  const Vec f = sub(x, n);
  Vec p = set1(1.3276471979e-03f);
  p = fma(p, f, set1(9.6755413342e-03f));
  p = fma(p, f, set1(5.5507132735e-02f));
  p = fma(p, f, set1(2.4022119724e-01f));
  p = fma(p, f, set1(6.9314696706e-01f));
  p = fma(p, f, set1(1.0f));
  return scale_by_exp2(p, n);
}

inline Vec exp2_clamped(Vec x) { return exp2_in_range(max(x, set1(kMinExponent))); }
