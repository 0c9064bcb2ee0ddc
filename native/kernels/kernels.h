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
#include <functional>

namespace vssl {

enum class Precision {
  kFp32,  ///< fp32 operands, fp32 accumulation
  kBf16,  ///< allows bf16 operands with fp32 accumulation where the CPU multiplies them natively
};

/// Several callers with the same rows, in threads or processes of their own, that share the work of one call:
/// each makes every `count`-th tile of the triangle, and what they found is added up.
struct NtXentShare {
  int64_t index = 0, count = 1;
  /// values[0..n) become their sums over all callers, with the same bits for each. Called by one thread at a
  /// time, in the same order by all callers; must not throw.
  std::function<void(double* values, int64_t n)> add_up;
  std::function<void(float* values, int64_t n)> add_up_floats;
};

struct NtXentOptions {
  double temperature = 0.1;  ///< tau > 0
  bool normalize = true;     ///< L2-normalise rows first, x / max(|x|, 1e-12); the gradient goes through it
  Precision precision = Precision::kFp32;
  int threads = 0;                     ///< upper bound; 0: one per physical core
  const NtXentShare* share = nullptr;  ///< all callers get the whole loss and gradient
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

struct DctOptions {
  bool inverse = false;  ///< DCT-III: from coefficients to frames
  int64_t keep = 0;      ///< coefficients of the output, or of the input when inverse; 0: as many as frames
  int threads = 0;       ///< upper bound; 0: one per physical core
};

/// Orthonormal DCT along time of clips (T, ...), T = frames (Ahmed, Natarajan & Rao 1974):
///
///   forward (DCT-II)   X_k = c_k sum_t x_t cos(pi (2t + 1) k / 2T),    k < keep
///   inverse (DCT-III)  x_t = sum_{k < keep} c_k X_k cos(pi (2t + 1) k / 2T)
///   c_0 = sqrt(1 / T), c_k = sqrt(2 / T): sum_k X_k^2 = sum_t x_t^2
///
/// out     keep x pixels, or frames x pixels when inverse: missing coefficients count as 0
/// clip    frames x pixels, or keep x pixels when inverse; bytes count as 0..255.
///         out may begin where an fp32 clip begins, and may not overlap it otherwise
/// frames  1..64; keep 0..frames;  pixels >= 1: all that stands behind the leading axis
/// Memory: no more than 64 KB a thread. A NaN or infinity stays within its pixel.
void dct(float* out, const float* clip, int64_t frames, int64_t pixels, const DctOptions& options);
void dct(float* out, const uint8_t* clip, int64_t frames, int64_t pixels, const DctOptions& options);

enum class MotionOutput {
  kSignal,  ///< what is left of every frame
  kEnergy,  ///< its sum of squares over time
};

struct DctMotionOptions {
  int64_t drop_low = 1;  ///< coefficients set to 0, from the lowest: 0..frames; 1 removes the temporal mean
  MotionOutput output = MotionOutput::kSignal;
  int threads = 0;  ///< upper bound; 0: one per physical core
};

/// What is left of a clip without its slowest changes: zero the first d = drop_low coefficients of dct(),
/// invert. With d = 1 the temporal mean is taken off, as the motion enhancement of TCGL (Liu et al. 2022,
/// STKD) does.
///
///   X = DCT-II(x);  m = DCT-III(0, .., 0, X_d, .., X_{T-1})
///   signal  m_t
///   energy  e = sum_t m_t^2 = sum_{k >= d} X_k^2
///
/// out     frames x pixels, or pixels for the energy; overlap as in dct()
/// clip    frames x pixels; bytes count as 0..255
/// frames  1..64;  pixels >= 1
/// With drop_low >= 1 a pixel that does not change gives exactly 0. Memory: as dct().
void dct_motion(float* out, const float* clip, int64_t frames, int64_t pixels,
                const DctMotionOptions& options);
void dct_motion(float* out, const uint8_t* clip, int64_t frames, int64_t pixels,
                const DctMotionOptions& options);

/// out_t = x_{t+1} - x_t.
///
/// out     (frames - 1) x pixels; overlap as in dct()
/// clip    frames x pixels; bytes count as 0..255
/// frames  >= 2;  pixels >= 1;  threads: upper bound, 0: one per physical core
void frame_difference(float* out, const float* clip, int64_t frames, int64_t pixels, int threads = 0);
void frame_difference(float* out, const uint8_t* clip, int64_t frames, int64_t pixels, int threads = 0);

struct EmaSpan {
  float* target;
  const float* source;
  int64_t size;
};

/// Exponential moving average of parameters (MoCo, He et al. 2020, eq. 2), over many tensors in one pass:
///
///   target <- m target + (1 - m) source
///
/// computed as target + (1 - m)(source - target), or source + m (target - source) for m < 1/2, so that equal
/// values stay as they are whatever m is; m = 1 leaves finite targets, m = 0 copies finite sources.
///
/// spans     count of them; sizes may be 0. Targets may not overlap each other or any source but their own,
///           and that only exactly
/// momentum  m, 0..1;  threads: upper bound, 0: one per physical core
void ema_update(const EmaSpan* spans, int64_t count, double momentum, int threads = 0);

enum class RowType {
  kFp32,
  kFp16,  ///< IEEE half precision, in 16 bits
  kBf16,  ///< the upper 16 bits of an fp32
  kInt8,  ///< -128..127
};

/// Rows to be found by topk_dot().
struct DotRows {
  const void* values = nullptr;  ///< count x dim, row-major; aligned to a value's size
  RowType type = RowType::kFp32;
  int64_t count = 0;  ///< 0..2^31 - 1
  int64_t dim = 0;    ///< >= 1
  const float* scales =
      nullptr;  ///< count factors c_j: steps of quantised rows, 1 / |r_j|...; null: all are 1
};

/// Exact top k by dot product, of each query over all rows:
///
///   s_ij = c_j sum_d q_id r_jd
///   indices_i = the k rows j of largest s_ij, falling; of equal scores the lower row comes first
///
/// Products and sums are in fp32 whatever the rows' type, and a score's bits depend on its query, its row and
/// the ISA path alone: not on the other queries and rows, k or the threads. So the results over parts of the
/// rows, merged, are those over the whole.
///
/// indices, scores  query_count x min(k, rows.count), overwritten; may be null when that is nothing
/// queries          query_count x dim;  query_count >= 0
/// k                >= 1; of fewer rows than k all are given, in order
/// threads          upper bound, 0: one per physical core
/// -0 and 0 are equal. A score that is NaN (not finite values; infinite sums of both signs) comes after all
/// numbers, minus infinity included, and is given as NaN. Sums beyond fp32 are infinite.
/// Memory: at most 1.3 MB a thread while k is below 1000, and 16 k bytes a query and thread, of 64 queries at
/// a time (fewer where that would pass 64 MB in all), never query_count x rows.count.
void topk_dot(int32_t* indices, float* scores, const float* queries, int64_t query_count, const DotRows& rows,
              int64_t k, int threads = 0);

/// L2-normalises rows as F.normalize: z = x / max(|x|, 1e-12), norms in double precision.
///
/// z, x  rows x dim, rows and dim >= 1; z may be x
void normalize_rows(float* z, const float* x, int64_t rows, int64_t dim, int threads = 0);

/// The gradient through normalize_rows(): with n = max(|x|, 1e-12) and g = dL/dz,
///
///   dL/dx = (g - [|x| > 1e-12] (g . x / n^2) x) / n
///
/// gradient, grad_z, x  rows x dim, rows and dim >= 1; gradient may be grad_z or x
void normalize_rows_backward(float* gradient, const float* grad_z, const float* x, int64_t rows, int64_t dim,
                             int threads = 0);

}  // namespace vssl
