#include "kernels_limits.h"

#include "../kernels/limits.h"
#include "../kernels/parallel.h"
#include "guard.h"
#include "kernels_arguments.h"

namespace vssl::binding {
namespace {

// Any Float32Array that native code may use; the others of the call must be as long.
Napi::Float32Array some_floats(const Napi::Value& value, const char* name) {
  const bool typed = value.IsTypedArray();
  return float_array(value, name,
                     typed ? static_cast<int64_t>(value.As<Napi::TypedArray>().ElementLength()) : 0);
}

const uint8_t* byte_array(const Napi::Value& value, const char* name, int64_t length) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    reject(name, "a Uint8Array");
  }
  const auto array = value.As<Napi::Uint8Array>();
  if (!array.ArrayBuffer().IsArrayBuffer()) reject(name, "an array that is not shared");
  if (static_cast<int64_t>(array.ElementLength()) != length) reject(name, "an array of the right length");
  return array.Data();
}

Napi::Value cores(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), physical_core_count());
}

template <double (*Rate)(double, int)>
Napi::Value rate(const Napi::CallbackInfo& info) {
  expect_arguments(info, 2);
  return Napi::Number::New(info.Env(), Rate(number(info[0], "seconds"), thread_count(info[1])));
}

Napi::Value read(const Napi::CallbackInfo& info) {
  expect_arguments(info, 2);
  const Span source = span(info[0], "source");
  return Napi::Number::New(info.Env(), read_seconds(source.data, source.bytes, thread_count(info[1])));
}

Napi::Value copy(const Napi::CallbackInfo& info) {
  expect_arguments(info, 3);
  auto target = some_floats(info[0], "target");
  const auto count = static_cast<int64_t>(target.ElementLength());
  const float* source = float_array(info[1], "source", count).Data();
  return Napi::Number::New(info.Env(), copy_seconds(target.Data(), source, count, thread_count(info[2])));
}

Napi::Value widen(const Napi::CallbackInfo& info) {
  expect_arguments(info, 3);
  auto target = some_floats(info[0], "target");
  const auto count = static_cast<int64_t>(target.ElementLength());
  const uint8_t* source = byte_array(info[1], "source", count);
  return Napi::Number::New(info.Env(), widen_seconds(target.Data(), source, count, thread_count(info[2])));
}

Napi::Value triad(const Napi::CallbackInfo& info) {
  expect_arguments(info, 5);
  auto target = some_floats(info[0], "target");
  const auto count = static_cast<int64_t>(target.ElementLength());
  const float* a = float_array(info[1], "a", count).Data();
  const float* b = float_array(info[2], "b", count).Data();
  const auto scale = static_cast<float>(number(info[3], "scale"));
  return Napi::Number::New(info.Env(),
                           triad_seconds(target.Data(), a, b, scale, count, thread_count(info[4])));
}

}  // namespace

Napi::Object limits_exports(Napi::Env env) {
  auto exports = Napi::Object::New(env);
  add_function<cores>(exports, "cores");
  add_function<rate<fma_rate>>(exports, "fmaRate");
  add_function<rate<bf16_rate>>(exports, "bf16Rate");
  add_function<read>(exports, "readSeconds");
  add_function<copy>(exports, "copySeconds");
  add_function<widen>(exports, "widenSeconds");
  add_function<triad>(exports, "triadSeconds");
  return exports;
}

}  // namespace vssl::binding
