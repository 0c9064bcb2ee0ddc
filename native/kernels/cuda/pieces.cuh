// Activations in pieces of 16 bytes: 4 values of fp32, 8 of bf16 or fp16. Arithmetic is fp32 for all.
#pragma once

#include "../training.h"
#include "device.cuh"

namespace vssl::cuda {

/// Of a type: Stored, one value in memory; kPiece, values a piece; widen() and narrow(), a piece to and from
/// floats (to nearest, ties to even).
template <Element kType>
struct Format;

template <>
struct Format<Element::kFloat> {
  using Stored = float;
  static constexpr int kPiece = 4;

  static __device__ void widen(float (&values)[kPiece], const uint4& piece) {
    values[0] = __uint_as_float(piece.x);
    values[1] = __uint_as_float(piece.y);
    values[2] = __uint_as_float(piece.z);
    values[3] = __uint_as_float(piece.w);
  }
  static __device__ uint4 narrow(const float (&values)[kPiece]) {
    return make_uint4(__float_as_uint(values[0]), __float_as_uint(values[1]), __float_as_uint(values[2]),
                      __float_as_uint(values[3]));
  }
  static __device__ uint32_t bits_of(Stored value) { return __float_as_uint(value); }
  static __device__ Stored of_bits(uint32_t bits) { return __uint_as_float(bits); }
};

/// Two values a word, the first in the low half.
struct SixteenBits {
  using Stored = uint16_t;
  static constexpr int kPiece = 8;

  static __device__ uint32_t bits_of(Stored value) { return value; }
  static __device__ Stored of_bits(uint32_t bits) { return static_cast<Stored>(bits); }
};

template <>
struct Format<Element::kBf16> : SixteenBits {
  static __device__ void widen(float (&values)[kPiece], const uint4& piece) {
    const uint32_t words[4] = {piece.x, piece.y, piece.z, piece.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      values[2 * i] = __uint_as_float(words[i] << 16);
      values[2 * i + 1] = __uint_as_float(words[i] & 0xffff0000u);
    }
  }
  static __device__ uint4 narrow(const float (&values)[kPiece]) {
    return make_uint4(pack_bf16(values[0], values[1]), pack_bf16(values[2], values[3]),
                      pack_bf16(values[4], values[5]), pack_bf16(values[6], values[7]));
  }
};

template <>
struct Format<Element::kHalf> : SixteenBits {
  static __device__ void widen(float (&values)[kPiece], const uint4& piece) {
    const uint32_t words[4] = {piece.x, piece.y, piece.z, piece.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      values[2 * i] = of_half(static_cast<uint16_t>(words[i]));
      values[2 * i + 1] = of_half(static_cast<uint16_t>(words[i] >> 16));
    }
  }
  static __device__ uint4 narrow(const float (&values)[kPiece]) {
    return make_uint4(pack_half(values[0], values[1]), pack_half(values[2], values[3]),
                      pack_half(values[4], values[5]), pack_half(values[6], values[7]));
  }
};

/// The first `count` values of a piece one by one, 0 for the others.
template <Element kType>
inline __device__ uint4 load_values(const typename Format<kType>::Stored* from, int count) {
  using F = Format<kType>;
  constexpr int kAWord = F::kPiece / 4;
  uint32_t words[4] = {};
#pragma unroll
  for (int i = 0; i < F::kPiece; ++i) {
    if (i < count) words[i / kAWord] |= F::bits_of(from[i]) << (i % kAWord * 16);
  }
  return make_uint4(words[0], words[1], words[2], words[3]);
}

/// A whole piece; kAligned: it lies on a 16-byte boundary.
template <Element kType, bool kAligned>
inline __device__ uint4 load_piece(const typename Format<kType>::Stored* from) {
  if constexpr (kAligned) return *reinterpret_cast<const uint4*>(from);
  return load_values<kType>(from, Format<kType>::kPiece);
}

/// The first `count` values of a piece.
template <Element kType, bool kAligned>
inline __device__ void store_piece(typename Format<kType>::Stored* to, const uint4& piece, int count) {
  using F = Format<kType>;
  constexpr int kAWord = F::kPiece / 4;
  if (kAligned && count == F::kPiece) {
    *reinterpret_cast<uint4*>(to) = piece;
    return;
  }
  const uint32_t words[4] = {piece.x, piece.y, piece.z, piece.w};
#pragma unroll
  for (int i = 0; i < F::kPiece; ++i) {
    if (i < count) to[i] = F::of_bits(words[i / kAWord] >> (i % kAWord * 16));
  }
}

/// Value i of an array.
template <Element kType>
inline __device__ float value_at(const void* x, int64_t i) {
  float values[Format<kType>::kPiece];
  Format<kType>::widen(values,
                       load_values<kType>(static_cast<const typename Format<kType>::Stored*>(x) + i, 1));
  return values[0];
}

inline __device__ float value_at(const void* x, int64_t i, Element type) {
  if (type == Element::kFloat) return value_at<Element::kFloat>(x, i);
  return type == Element::kBf16 ? value_at<Element::kBf16>(x, i) : value_at<Element::kHalf>(x, i);
}

}  // namespace vssl::cuda
