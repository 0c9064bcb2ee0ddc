// Which kernels run: those for every device, or those for Hopper.
#pragma once

namespace vssl::cuda {

enum class Path {
  kPortable,  ///< compute capability 8.0 and up
  kHopper,    ///< 9.0 alone: wgmma and bulk copies
};

constexpr int kHopperMostDims = 128;  ///< of rows that the Hopper kernels take

/// VSSL_CUDA_PATH=portable|hopper, or the fastest that the current device has. Read at each call. Throws
/// ERR_VSSL_INVALID_ARGUMENT for another name, and for a path that the device lacks.
Path selected_path();

/// Whether VSSL_CUDA_PATH names a path. Then it is taken at every size that it can do, not only where it is
/// the faster one.
bool path_is_forced();

/// Whether the Hopper path's kernels may get ready while their predecessors drain; VSSL_CUDA_OVERLAP=off says
/// no.
bool launches_overlap();

const char* path_name(Path path);

}  // namespace vssl::cuda
