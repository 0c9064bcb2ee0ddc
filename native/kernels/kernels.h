// Public kernels of vssl: plain pointers in, plain pointers out; no torch, no Node, standard library only.
//
// Common rules
// - Matrices are row-major, contiguous and fp32 unless said otherwise; pointers need no alignment beyond 4
// bytes.
// - Outputs may not overlap inputs, unless the function says so.
// - Every function may be called from several threads at once.
// - Same input and options give the same bits for any number of threads (on one ISA path).
// - Wrong arguments throw vssl::Error with code ERR_VSSL_INVALID_ARGUMENT before anything is written.
#pragma once

#include <cstdint>

namespace vssl {

enum class Precision {
  kFp32,  ///< fp32 operands, fp32 accumulation
  kBf16,  ///< allows bf16 operands with fp32 accumulation where the CPU multiplies them natively
};

struct NtXentOptions {
  double temperature = 0.1;  ///< tau > 0
  bool normalize = true;     ///< L2-normalise rows first, x / max(|x|, 1e-12); the gradient goes through it
  Precision precision = Precision::kFp32;
  int threads = 0;  ///< upper bound; 0: one per physical core
};

struct NtXentResult {
  double loss = 0;              ///< mean over rows
  double grad_temperature = 0;  ///< dL / dtau; 0 unless a gradient was asked for
};

/// NT-Xent (SimCLR, Chen et al. 2020, eq. 1), loss and gradient.
///
/// Rows i and i + N (rows = 2N) are the two views of one instance, pos(i) = (i + N) mod 2N. With z the
/// (normalised) embeddings:
///
///   s_ij = z_i . z_j / tau
///   L    = 1/(2N) sum_i [ log sum_{j != i} exp(s_ij) - s_i,pos(i) ]
///   p_ij = exp(s_ij) / sum_{k != i} exp(s_ik),  p_ii = 0
///   dL/dz_i = 1/(2N tau) sum_j (p_ij + p_ji - 2 [j = pos(i)]) z_j
///
/// The weights are symmetric in (i, j), so only the upper triangle of tiles is visited:
/// rows^2 dim multiply-adds in all, where the textbook way takes 3 rows^2 dim.
///
/// gradient    rows x dim, dL/d embeddings, overwritten; null computes the loss only; may overlap embeddings,
///             which are not read any more when it is written
/// embeddings  rows x dim
/// rows        even, >= 2;  dim >= 1
/// Memory: O(rows * dim), never rows * rows: below 4 copies of the embeddings when rows > 8 dim, below 9
/// otherwise
///         (rows counted as a multiple of 64, dim of 32).
/// NaN or infinite input (or products beyond fp32 when normalize is off) give a NaN loss and a NaN gradient.
NtXentResult nt_xent(float* gradient, const float* embeddings, int64_t rows, int64_t dim,
                     const NtXentOptions& options);

// InfoNCE against a momentum queue, a kernel with memory of its own: queue.h

}  // namespace vssl
