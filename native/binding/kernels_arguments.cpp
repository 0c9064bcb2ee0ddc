#include "kernels_arguments.h"

#include <cmath>
#include <string>

#include "../common/error.h"

namespace vssl::binding {

void reject(const char* name, const char* expected) {
  throw Error(kInvalidArgument, std::string("expected ") + expected + " for " + name);
}

void expect_arguments(const Napi::CallbackInfo& info, std::size_t count) {
  if (info.Length() != count) {
    throw Error(kInvalidArgument, "expected " + std::to_string(count) + " arguments");
  }
}

int64_t integer(const Napi::Value& value, const char* name, double most) {
  const double found = number(value, name);
  if (!(found >= 0 && found <= most) || found != std::floor(found)) reject(name, "an integer in range");
  return static_cast<int64_t>(found);
}

double number(const Napi::Value& value, const char* name) {
  if (!value.IsNumber()) reject(name, "a number");
  return value.As<Napi::Number>().DoubleValue();
}

bool boolean(const Napi::Value& value, const char* name) {
  if (!value.IsBoolean()) reject(name, "a boolean");
  return value.As<Napi::Boolean>().Value();
}

Precision precision(const Napi::Value& value) {
  const std::string name = value.IsString() ? value.As<Napi::String>().Utf8Value() : "";
  if (name != "fp32" && name != "bf16") reject("precision", "'fp32' or 'bf16'");
  return name == "bf16" ? Precision::kBf16 : Precision::kFp32;
}

int thread_count(const Napi::Value& value) { return static_cast<int>(integer(value, "threads", 4096)); }

int64_t matrix_size(int64_t rows, int64_t dim) {
  if (dim < 1 || static_cast<double>(rows) * static_cast<double>(dim) > kLargestInteger) {
    reject("dim", "an integer in range");
  }
  return rows * dim;
}

Napi::Float32Array float_array(const Napi::Value& value, const char* name, int64_t length) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_float32_array) {
    reject(name, "a Float32Array");
  }
  const auto array = value.As<Napi::Float32Array>();
  // Another thread may write to shared memory while we read it.
  if (!array.ArrayBuffer().IsArrayBuffer()) reject(name, "an array that is not shared");
  if (array.ArrayBuffer().IsDetached()) reject(name, "an array that is not detached");
  if (static_cast<int64_t>(array.ElementLength()) != length) reject(name, "an array of the right length");
  return array;
}

Span span(const Napi::Value& value, const char* name) {
  if (!value.IsTypedArray()) reject(name, "a typed array");
  const auto array = value.As<Napi::TypedArray>();
  const auto buffer = array.ArrayBuffer();  // no ArrayBuffer where memory is shared
  const bool is_shared = !buffer.IsArrayBuffer();
  if (!is_shared && buffer.IsDetached()) reject(name, "an array that is not detached");
  // node-addon-api has no way to memory that may be shared
  void* data = nullptr;
  napi_get_typedarray_info(value.Env(), value, nullptr, nullptr, &data, nullptr, nullptr);
  return {data, static_cast<int64_t>(array.ElementLength()), static_cast<int64_t>(array.ByteLength()),
          array.TypedArrayType(), is_shared};
}

}  // namespace vssl::binding
