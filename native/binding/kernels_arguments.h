// Arguments of the kernels' exports: checked once more here, since JavaScript can reach the addon without its
// typed front.
#pragma once

#include <napi.h>

#include <cstdint>

#include "../kernels/kernels.h"

namespace vssl::binding {

constexpr double kLargestInteger = 9007199254740991.0;  // 2^53 - 1

[[noreturn]] void reject(const char* name, const char* expected);

void expect_arguments(const Napi::CallbackInfo& info, std::size_t count);
int64_t integer(const Napi::Value& value, const char* name, double most = kLargestInteger);
double number(const Napi::Value& value, const char* name);
bool boolean(const Napi::Value& value, const char* name);
Precision precision(const Napi::Value& value);
int thread_count(const Napi::Value& value);

/// rows * dim when it is in range, and dim is not 0.
int64_t matrix_size(int64_t rows, int64_t dim);

/// A Float32Array of `length` that native code may use: neither shared nor detached.
Napi::Float32Array float_array(const Napi::Value& value, const char* name, int64_t length);

/// The memory of a typed array of any type, which may be shared with other threads: for what is only read,
/// and whose values decide nothing but the result.
struct Span {
  const void* data;
  int64_t length;  ///< values
  int64_t bytes;
  napi_typedarray_type type;
  bool is_shared;
};

Span span(const Napi::Value& value, const char* name);

}  // namespace vssl::binding
