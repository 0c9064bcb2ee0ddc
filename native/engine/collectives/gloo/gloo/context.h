// What libtorch's header of Gloo process groups wants of Gloo's own headers, which its packages leave out.
// The layout of a process group is fixed by libtorch's header, and the library brings the code: declarations
// are enough.
#pragma once

#include <chrono>

namespace gloo {

class Context {
 public:
  void setTimeout(std::chrono::milliseconds timeout);
};

}  // namespace gloo
