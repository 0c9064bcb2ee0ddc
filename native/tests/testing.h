// What every suite shares: counted checks, the errors they expect, and the line of counts at the end.
#pragma once

#include <cstdio>
#include <string>

#include "../common/error.h"

namespace vssl {

inline int passed = 0, failed = 0;

// A line for each check that fails.
inline void check(bool ok, const std::string& what) {
  ++(ok ? passed : failed);
  if (!ok) std::printf("FAILED %s\n", what.c_str());
}

inline void check_at_most(double value, double limit, const std::string& what) {
  check(value <= limit, what + ": " + std::to_string(value) + " is not at most " + std::to_string(limit));
}

// The code of the Error that `body` throws, "" when it throws none.
template <typename Body>
std::string code_of(Body&& body) {
  try {
    body();
  } catch (const Error& e) {
    return e.code;
  }
  return "";
}

// Runs `body`, which must throw an Error of this code whose message holds `part`.
template <typename Body>
void check_throws(const std::string& code, const std::string& part, Body&& body) {
  try {
    body();
    check(false, "no " + code + " was thrown (" + part + ")");
  } catch (const Error& e) {
    check(e.code == code && std::string(e.what()).find(part) != std::string::npos,
          "expected " + code + " with '" + part + "' but received " + e.code + ": " + e.what());
  }
}

// The larger of two errors; NaN when one of them is, so that it fails the check: std::max(error, NaN) is
// error.
inline double worse(double worst, double error) { return error <= worst || worst != worst ? worst : error; }

// The last line of a suite and its exit code. `skipped`: checks that this machine cannot make.
inline int finish(size_t skipped = 0) {
  std::printf("%d passed, %d failed", passed, failed);
  if (skipped > 0) std::printf(", %zu skipped", skipped);
  std::printf("\n");
  return failed == 0 ? 0 : 1;
}

}  // namespace vssl
