// What the build for CUDA finds on this machine; cuda_info.cpp is part of that build alone.
#pragma once

#include "engine.h"

namespace vssl::engine {

// Sets all that EngineInfo says of CUDA. Looked at once: devices do not come and go while a process lives.
void add_cuda_info(EngineInfo& info);

}  // namespace vssl::engine
