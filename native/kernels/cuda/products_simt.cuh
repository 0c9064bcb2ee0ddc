// Products of the portable path in fp32, on the ordinary arithmetic units. 16 x 16 threads; a thread keeps
// 4 x 4 of S and 4 x 8 of O in registers. Matrices are row-major with rows of a multiple of 4 floats.
#pragma once

#include "stream.cuh"

namespace vssl::cuda {

struct SimtProducts {
  static constexpr int kThreads = 256;
  static constexpr int kPanel = 64;
  static constexpr int kSide = 16;  // threads along rows and along columns
  static constexpr int kRows = kPanel / kSide;
  static constexpr int kColumns = kTileColumns / kSide;
  static constexpr int kRowLanes = kSide;
  static constexpr int kOutput = kChunkDims / kSide;
  static constexpr int kPitch = kChunkDims + 4;  // floats a row in shared memory; +4: other banks
  static constexpr int kPPitch = kTileColumns + 4;

  static std::size_t shared_bytes(int /*chunks*/) {
    return ((kPanel + kTileColumns) * kPitch + kPanel * kPPitch) * sizeof(float);
  }

  __device__ SimtProducts(const StreamShape& shape, int panel, int chunk, int64_t begin, int64_t /*end*/)
      : shape_(shape),
        panel_(panel),
        chunk_(chunk),
        tile_(begin),
        x_(static_cast<int>(threadIdx.x) % kSide),
        y_(static_cast<int>(threadIdx.x) / kSide),
        rows_(reinterpret_cast<float*>(shared_memory())),
        columns_(rows_ + kPanel * kPitch),
        p_(columns_ + kTileColumns * kPitch) {
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
#pragma unroll
      for (int c = 0; c < kOutput; ++c) o_[r][c] = 0;
    }
    if (shape.chunks == 1) load(rows_, shape.row_matrix, static_cast<int64_t>(panel) * kPanel, 0);
  }

  __device__ int row(int r) const { return y_ + kSide * r; }
  __device__ int column(int c) const { return x_ + kSide * c; }
  __device__ bool leads_row() const { return x_ == 0; }

  __device__ void similarity(float (&s)[kRows][kColumns]) {
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
#pragma unroll
      for (int c = 0; c < kColumns; ++c) s[r][c] = 0;
    }
    for (int q = 0; q < shape_.chunks; ++q) {
      const int chunk = (chunk_ + 1 + q) % shape_.chunks;  // the block's own comes last
      __syncthreads();                                     // all have done with what shared memory held
      if (shape_.chunks > 1) load(rows_, shape_.row_matrix, static_cast<int64_t>(panel_) * kPanel, chunk);
      load(columns_, shape_.column_matrix, tile_ * kTileColumns, chunk);
      __syncthreads();
      multiply(s, fours_in(chunk));
    }
    ++tile_;
  }

  __device__ void accumulate(const float (&p)[kRows][kColumns]) {
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
#pragma unroll
      for (int c = 0; c < kColumns; ++c) p_[row(r) * kPPitch + column(c)] = p[r][c];
    }
    __syncthreads();
    for (int j = 0; j < kTileColumns; j += 4) {
      float4 a[kRows];
#pragma unroll
      for (int r = 0; r < kRows; ++r) a[r] = *reinterpret_cast<const float4*>(p_ + row(r) * kPPitch + j);
#pragma unroll
      for (int half = 0; half < kOutput / 4; ++half) {
        const float* const from = columns_ + j * kPitch + half * 64 + x_ * 4;
        add(half, a, 0, *reinterpret_cast<const float4*>(from));
        add(half, a, 1, *reinterpret_cast<const float4*>(from + kPitch));
        add(half, a, 2, *reinterpret_cast<const float4*>(from + 2 * kPitch));
        add(half, a, 3, *reinterpret_cast<const float4*>(from + 3 * kPitch));
      }
    }
  }

  __device__ void scale_row(int r, float factor) {
#pragma unroll
    for (int c = 0; c < kOutput; ++c) o_[r][c] *= factor;
  }

  __device__ float output(int r, int c) const { return o_[r][c]; }
  __device__ int output_dim(int c) const { return chunk_ * kChunkDims + c / 4 * 64 + x_ * 4 + c % 4; }

 private:
  // Groups of 4 dims that a chunk has.
  __device__ int fours_in(int chunk) const {
    const int rest = (shape_.dim + 3) / 4 - chunk * (kChunkDims / 4);
    return rest < kChunkDims / 4 ? rest : kChunkDims / 4;
  }

  // 64 rows of one chunk; what is beyond the last dim becomes zero.
  __device__ void load(float* to, const void* matrix, int64_t first, int chunk) const {
    const int fours = fours_in(chunk);
    const int64_t pitch = (shape_.dim + 3) / 4;
    const float4* const from = static_cast<const float4*>(matrix) + first * pitch + chunk * (kChunkDims / 4);
    for (int i = static_cast<int>(threadIdx.x); i < 64 * (kChunkDims / 4); i += kThreads) {
      const int r = i / (kChunkDims / 4), four = i % (kChunkDims / 4);
      *reinterpret_cast<float4*>(to + r * kPitch + four * 4) =
          four < fours ? __ldg(from + r * pitch + four) : make_float4(0, 0, 0, 0);
    }
  }

  __device__ void multiply(float (&s)[kRows][kColumns], int fours) const {
    for (int four = 0; four < fours; ++four) {
      float4 a[kRows], b[kColumns];
#pragma unroll
      for (int r = 0; r < kRows; ++r)
        a[r] = *reinterpret_cast<const float4*>(rows_ + row(r) * kPitch + four * 4);
#pragma unroll
      for (int c = 0; c < kColumns; ++c)
        b[c] = *reinterpret_cast<const float4*>(columns_ + column(c) * kPitch + four * 4);
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
#pragma unroll
        for (int c = 0; c < kColumns; ++c) {
          s[r][c] = fmaf(a[r].x, b[c].x, s[r][c]);
          s[r][c] = fmaf(a[r].y, b[c].y, s[r][c]);
          s[r][c] = fmaf(a[r].z, b[c].z, s[r][c]);
          s[r][c] = fmaf(a[r].w, b[c].w, s[r][c]);
        }
      }
    }
  }

  // O of this half += component `part` of P times four dims of a column.
  __device__ void add(int half, const float4 (&a)[kRows], int part, const float4& z) {
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      const float p = part == 0 ? a[r].x : part == 1 ? a[r].y : part == 2 ? a[r].z : a[r].w;
      float* const o = o_[r] + 4 * half;
      o[0] = fmaf(p, z.x, o[0]);
      o[1] = fmaf(p, z.y, o[1]);
      o[2] = fmaf(p, z.z, o[2]);
      o[3] = fmaf(p, z.w, o[3]);
    }
  }

  const StreamShape& shape_;
  const int panel_, chunk_;
  int64_t tile_;
  const int x_, y_;
  float* const rows_;
  float* const columns_;
  float* const p_;
  float o_[kRows][kOutput];
};

}  // namespace vssl::cuda
