// What layers and optimisers run on a device in one launch each: shapes and settings, plain values. The
// functions are cuda/training_cuda.h's; the equations are the engine's layers/norm.cpp and optim_kernels.h.
#pragma once

#include <cstdint>

namespace vssl {

/// Type of activations.
enum class Element { kFloat, kBf16, kHalf };

/// The matrix behind an (N, C) or a channels-last (N, C, T, H, W) tensor: rows x channels, row-major,
/// contiguous.
struct NormShape {
  int64_t rows, channels;  ///< rows 1 to 2^40, channels 1 to 2^20; rows * channels to 2^42
  Element type;            ///< of activations and their gradients; all else is fp32, sums are double
};

struct NormSettings {
  double eps = 1e-5;
  double momentum = 0.1;  ///< share of the batch in the running statistics, 0..1
  bool relu = false;      ///< y = max(0, y), after the addition
};

/// SGD with momentum, and LARS, of one parameter:
///
///   g = scale gradient + decay p;  v = momentum v + inner g
///   p -= outer (nesterov ? inner g + momentum v : v)
struct MomentumSpan {
  float* parameter;
  float* velocity;
  const float* gradient;
  int64_t size;
  float inner, outer, decay, scale;
  float trust = 0;  ///< above 0: inner is multiplied by trust |p| / |g|, see momentum_update()
};

/// AdamW of one parameter:
///
///   g = scale gradient;  a = beta1 a + (1 - beta1) g;  b = beta2 b + (1 - beta2) g^2
///   p = keep p - rate a / (sqrt(b) inverse_root + eps)
struct AdamSpan {
  float* parameter;
  float* first;
  float* second;
  const float* gradient;
  int64_t size;
  float scale, keep, rate, inverse_root;
};

struct AdamSettings {
  float beta1, beta2, eps;
};

/// One term of a sum of squares: sum over i of (scale values_i + factor added_i)^2.
struct SquareSpan {
  const float* values;
  const float* added;  ///< null: none
  int64_t size;
  float scale, factor;
  int64_t into;  ///< the sum that it is part of
};

}  // namespace vssl
