// A file that could not be opened, as an error. That the process can open no more files is its own state and
// no fault of the file, so it has a code of its own: no video may leave a run for it.
#pragma once

#include <cerrno>
#include <string>

#include "../common/error.h"

namespace vssl::video {

/// `system_error`: an errno.
inline Error open_error(const std::string& what, int system_error, const std::string& reason) {
  if (system_error == EMFILE || system_error == ENFILE) {
    return {"ERR_VSSL_TOO_MANY_FILES",
            what + ": " + reason + "; raise the limit (ulimit -n), or use fewer threads"};
  }
  return {"ERR_VSSL_VIDEO_OPEN", what + ": " + reason};
}

}  // namespace vssl::video
