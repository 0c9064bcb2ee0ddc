// The larger of two errors.
#pragma once

namespace vssl {

// NaN when one of them is, so that it fails the check: std::max(error, NaN) is error.
inline double worse(double worst, double error) { return error <= worst || worst != worst ? worst : error; }

}  // namespace vssl
