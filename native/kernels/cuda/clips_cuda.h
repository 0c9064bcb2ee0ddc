// Clips made on a CUDA device from decoded samples (../clips.h). The common rules of kernels_cuda.h hold:
// pointers to device memory, everything in stream order, no allocation, workspace of the caller's.
#pragma once

#include <cstddef>

#include "../clips.h"
#include "kernels_cuda.h"

namespace vssl::cuda {

/// The clips, the bits of make_clip() rounded to shape.type.
///
/// out        (clips, frames, height, width, 3) of shape.type
/// blocks     the clips' blocks; clip i begins at blocks + offsets[i], a multiple of 16; offsets[i] < 0: no
///            clip, zeros
/// workspace  clips_workspace(shape) bytes
void make_clips(void* out, const void* blocks, const int64_t* offsets, const ClipsShape& shape,
                void* workspace, std::size_t workspace_bytes, cudaStream_t stream);
std::size_t clips_workspace(const ClipsShape& shape);

}  // namespace vssl::cuda
