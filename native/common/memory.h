// How much memory there can be, asked before it is taken. Systems hand out more than they have and end the
// process when it is used; so a count or size that a caller or a file gives is compared with what this
// process can have at most, and refused with an error instead. What would fit is never refused.
#pragma once

#include <cmath>
#include <cstdio>
#include <fstream>
#include <limits>
#include <string>

#include "error.h"

#if defined(_WIN32)
#include <windows.h>
#else
#include <sys/resource.h>
#include <unistd.h>
#endif

namespace vssl {

namespace memory_detail {

inline double physical_bytes() {
#if defined(_WIN32)
  MEMORYSTATUSEX status{};
  status.dwLength = sizeof(status);
  return GlobalMemoryStatusEx(&status) ? static_cast<double>(status.ullTotalPhys)
                                       : std::numeric_limits<double>::infinity();
#else
  const double pages = static_cast<double>(sysconf(_SC_PHYS_PAGES));
  return pages > 0 ? pages * static_cast<double>(sysconf(_SC_PAGESIZE))
                   : std::numeric_limits<double>::infinity();
#endif
}

// ulimit -v.
inline double address_bytes() {
#if !defined(_WIN32)
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
    return static_cast<double>(limit.rlim_cur);
#endif
  return std::numeric_limits<double>::infinity();
}

// A limit file holds bytes, or "max".
inline double bytes_in(const std::string& path) {
  std::ifstream file(path);
  double bytes;
  return file >> bytes ? bytes : std::numeric_limits<double>::infinity();
}

// Of this process's control group and those around it, versions 1 and 2.
inline double group_bytes() {
  double least = std::numeric_limits<double>::infinity();
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // 0::/path, or 4:memory:/path
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool unified = controllers.empty();
    if (!unified && controllers.find("memory") == std::string::npos) continue;
    const std::string root = unified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
    const std::string name = unified ? "/memory.max" : "/memory.limit_in_bytes";
    for (std::string path = line.substr(second + 1);; path.erase(path.rfind('/'))) {
      if (path == "/") path.clear();
      least = std::fmin(least, bytes_in(root + path + name));
      if (path.empty()) break;
    }
  }
  return least;
}

}  // namespace memory_detail

/// Bytes that this process can have at most: physical memory, or less where its control group or its address
/// space is limited. Read once.
inline double memory_limit() {
  using namespace memory_detail;
  static const double limit = std::fmin(physical_bytes(), std::fmin(address_bytes(), group_bytes()));
  return limit;
}

/// Throws ERR_VSSL_OUT_OF_MEMORY when `bytes` are more than there can be; give sizes multiplied as doubles,
/// which do not overflow. `what` begins the sentence: "a queue of 5 keys of 7".
inline void check_memory(double bytes, const std::string& what) {
  if (bytes <= memory_limit()) return;
  char text[128];
  std::snprintf(text, sizeof(text), " needs %.0f bytes, more than the %.0f that this process can have", bytes,
                memory_limit());
  throw Error("ERR_VSSL_OUT_OF_MEMORY", what + text);
}

}  // namespace vssl
