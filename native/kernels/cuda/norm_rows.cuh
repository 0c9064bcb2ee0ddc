// How a thread goes through its pieces of a norm_plan.h matrix, and of others of the same shape beside it;
// arguments and launches of such kernels.
#pragma once

#include <initializer_list>
#include <string>
#include <type_traits>

#include "launch.h"
#include "layout.h"
#include "norm_plan.h"
#include "pieces.cuh"

namespace vssl::cuda {

/// A thread's part: the pieces at one column of every step-th wide row from `row` to before `end`.
struct NormPlace {
  int64_t row, end;
  int column;  ///< in values
  int step;
  int rest;     ///< values behind the last wide row that are this thread's too
  bool exists;  ///< false where threads do not fit: no rows, no rest
};

template <Element kType>
inline __device__ NormPlace norm_place(const NormPlan& plan) {
  constexpr int kPiece = Format<kType>::kPiece;
  const int across = static_cast<int>(threadIdx.x) % plan.across;
  const int down = static_cast<int>(threadIdx.x) / plan.across;
  const int slice = static_cast<int>(blockIdx.y);
  NormPlace place;
  place.column = (static_cast<int>(blockIdx.x) * plan.across + across) * kPiece;
  place.step = kNormThreads / plan.across;
  place.exists = down < place.step && place.column < plan.width;
  place.row = share_begin(plan.wide_rows, slice, plan.slices) + down;
  place.end = place.exists ? share_begin(plan.wide_rows, slice + 1, plan.slices) : 0;
  const bool takes_rest = place.exists && down == 0 && slice == plan.slices - 1;
  const int rest = takes_rest ? plan.rest - place.column : 0;
  place.rest = rest < 0 ? 0 : rest < kPiece ? rest : kPiece;
  return place;
}

constexpr int kNormRound = 16;  // pieces that a thread takes between two calls of `pause`

/// Calls take(pieces, offset, count) for each of the thread's pieces in order, with those of all inputs and
/// the place of their `count` values in the matrix, and pause() after each kNormRound of them and at the end.
/// Several pieces are under way at once: take() may write to its own place alone.
template <Element kType, bool kAligned, int kInputs, typename Take, typename Pause>
inline __device__ void for_pieces(const NormPlan& plan, const NormPlace& place,
                                  const void* const (&inputs)[kInputs], Take&& take, Pause&& pause) {
  using F = Format<kType>;
  constexpr int kBatch = kInputs == 1 ? 4 : 2;
  static_assert(kNormRound % kBatch == 0, "a round is of whole batches");
  const auto input = [&](int i, int64_t offset) {
    return static_cast<const typename F::Stored*>(inputs[i]) + offset;
  };
  const auto offset_of = [&](int64_t row) { return row * plan.width + place.column; };
  int64_t row = place.row;
  while (row < place.end) {
    const int64_t all = row + kNormRound * place.step;
    const int64_t stop = all < place.end ? all : place.end;
    for (; row + (kBatch - 1) * place.step < stop; row += kBatch * place.step) {
      uint4 pieces[kBatch][kInputs];
#pragma unroll
      for (int n = 0; n < kBatch * kInputs; ++n) {
        const int64_t offset = offset_of(row + n / kInputs * place.step);
        pieces[n / kInputs][n % kInputs] = load_piece<kType, kAligned>(input(n % kInputs, offset));
      }
#pragma unroll
      for (int b = 0; b < kBatch; ++b) take(pieces[b], offset_of(row + b * place.step), F::kPiece);
    }
    for (; row < stop; row += place.step) {
      uint4 pieces[kInputs];
#pragma unroll
      for (int i = 0; i < kInputs; ++i) pieces[i] = load_piece<kType, kAligned>(input(i, offset_of(row)));
      take(pieces, offset_of(row), F::kPiece);
    }
    pause();
  }
  if (place.rest == 0) return;
  uint4 pieces[kInputs];
#pragma unroll
  for (int i = 0; i < kInputs; ++i)
    pieces[i] = load_values<kType>(input(i, offset_of(plan.wide_rows)), place.rest);
  take(pieces, offset_of(plan.wide_rows), place.rest);
  pause();
}

/// dL/dy of a piece where ReLU let it through, of the inputs x, grad_y and, where there was a ReLU, y.
template <Element kType, int kInputs>
inline __device__ void gradient_of(float (&g)[Format<kType>::kPiece], const uint4 (&inputs)[kInputs]) {
  using F = Format<kType>;
  F::widen(g, inputs[1]);
  if constexpr (kInputs > 2) {
    float y[F::kPiece];
    F::widen(y, inputs[2]);
#pragma unroll
    for (int i = 0; i < F::kPiece; ++i) g[i] = y[i] > 0.0f ? g[i] : 0.0f;
  }
}

inline void validate_norm(const NormShape& shape) {
  if (shape.type != Element::kFloat && shape.type != Element::kBf16 && shape.type != Element::kHalf)
    throw Error(kInvalidArgument, "expected fp32, bf16 or fp16 activations");
  if (shape.rows < 1 || shape.rows > int64_t{1} << 40)
    throw Error(kInvalidArgument, "expected 1 to 2^40 for rows but received " + std::to_string(shape.rows));
  if (shape.channels < 1 || shape.channels > int64_t{1} << 20) {
    throw Error(kInvalidArgument,
                "expected 1 to 2^20 for channels but received " + std::to_string(shape.channels));
  }
  if (shape.rows > (int64_t{1} << 42) / shape.channels)
    throw Error(kInvalidArgument, "expected at most 2^42 values in an activation");
}

/// Whether all lie on 16-byte boundaries; null does.
inline bool aligned_to_pieces(std::initializer_list<const void*> pointers) {
  for (const void* pointer : pointers) {
    if (reinterpret_cast<std::uintptr_t>(pointer) % 16 != 0) return false;
  }
  return true;
}

/// A launch with the plan's grid.
inline LaunchShape norm_launch(const NormPlan& plan, std::size_t shared_bytes) {
  LaunchShape shape = {};
  shape.grid = dim3(static_cast<unsigned>(plan.columns), static_cast<unsigned>(plan.slices));
  shape.threads = kNormThreads;
  shape.shared_bytes = shared_bytes;
  return shape;
}

/// Calls with the type as std::integral_constant<Element, ...>.
template <typename Call>
auto for_type(Element type, Call&& call) {
  if (type == Element::kFloat) return call(std::integral_constant<Element, Element::kFloat>());
  if (type == Element::kBf16) return call(std::integral_constant<Element, Element::kBf16>());
  return call(std::integral_constant<Element, Element::kHalf>());
}

}  // namespace vssl::cuda
