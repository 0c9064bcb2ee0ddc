// Vectors of 4 floats for NEON with its fused multiply-add, and how many of them a product keeps in
// registers. Included by isa_each.inl.

using Vec = float32x4_t;
constexpr int kWidth = 4;
constexpr int kMicroRows = 8;
constexpr int kMicroVecs = 2;

inline Vec load(const float* p) { return vld1q_f32(p); }
inline Vec load(const uint8_t* p) {
  uint32_t bytes;
  std::memcpy(&bytes, p, sizeof bytes);
  const uint16x8_t words = vmovl_u8(vcreate_u8(bytes));
  return vcvtq_f32_u32(vmovl_u16(vget_low_u16(words)));
}
inline Vec load(const int8_t* p) {
  uint32_t bytes;
  std::memcpy(&bytes, p, sizeof bytes);
  const int16x8_t words = vmovl_s8(vcreate_s8(bytes));
  return vcvtq_f32_s32(vmovl_s16(vget_low_s16(words)));
}
inline Vec load_bf16(const uint16_t* p) { return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16)); }
inline Vec load_fp16(const uint16_t* p) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p))); }
inline void store(float* p, Vec v) { vst1q_f32(p, v); }
inline void stream(float* p, Vec v) { store(p, v); }  // a core decides by itself what goes past its caches
inline void finish_streaming() {}
inline Vec zero() { return vdupq_n_f32(0); }
inline Vec set1(float x) { return vdupq_n_f32(x); }
inline Vec add(Vec a, Vec b) { return vaddq_f32(a, b); }
inline Vec sub(Vec a, Vec b) { return vsubq_f32(a, b); }
inline Vec mul(Vec a, Vec b) { return vmulq_f32(a, b); }
// b where one of them is NaN, as on the other paths: NEON's own maximum would give NaN.
inline Vec max(Vec a, Vec b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
inline Vec fma(Vec a, Vec b, Vec c) { return vfmaq_f32(c, a, b); }
inline Vec round_to_int(Vec a) { return vrndnq_f32(a); }

// Adds n to the exponent field; p is in [0.7, 1.5] and n in [-125, 126].
inline Vec scale_by_exp2(Vec p, Vec n) {
  const int32x4_t exponent = vshlq_n_s32(vcvtq_s32_f32(n), 23);
  return vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(p), exponent));
}

inline Vec both(Vec a, Vec b) {
  return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(a), vreinterpretq_u32_f32(b)));
}

// The order in which sums_of() adds lanes: two neighbours of it, then two such sums, and so on.
[[maybe_unused]] constexpr int64_t kLaneOrder[kWidth] = {0, 1, 2, 3};

// Lane i of the result is the sum of a[i]'s lanes.
inline Vec sums_of(const Vec (&a)[kWidth]) {
  return vpaddq_f32(vpaddq_f32(a[0], a[1]), vpaddq_f32(a[2], a[3]));
}

// A bit for each lane that is not at most `floor`: NaN, here or there, sets it.
inline unsigned above(Vec a, Vec floor) {
  const uint32x4_t bits = {1, 2, 4, 8};
  return vaddvq_u32(vbicq_u32(bits, vcleq_f32(a, floor)));
}
