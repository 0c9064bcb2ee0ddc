#include "kernels_reference.h"

#include "../common/error.h"
#include "../kernels/reference.h"
#include "kernels_arguments.h"
#include "kernels_guard.h"

namespace vssl::binding {
namespace {

Napi::Float64Array doubles(const Napi::Value& value, const char* name, int64_t length) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_float64_array) {
    reject(name, "a Float64Array");
  }
  const auto array = value.As<Napi::Float64Array>();
  if (!array.ArrayBuffer().IsArrayBuffer()) reject(name, "an array that is not shared");
  if (static_cast<int64_t>(array.ElementLength()) != length) reject(name, "an array of the right length");
  return array;
}

Napi::Value nt_xent(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    expect_arguments(info, 6);
    const int64_t rows = integer(info[2], "rows"), dim = integer(info[3], "dim");
    const int64_t size = matrix_size(rows, dim);
    if (rows < 2 || rows % 2 != 0) reject("rows", "an even number from 2");
    NtXentOptions options;
    options.temperature = number(info[4], "temperature");
    options.normalize = boolean(info[5], "normalize");
    const double* embeddings = doubles(info[0], "embeddings", size).Data();
    double* gradient = info[1].IsNull() ? nullptr : doubles(info[1], "gradient", size).Data();
    const NtXentResult result = nt_xent_reference(gradient, embeddings, rows, dim, options);
    auto object = Napi::Object::New(info.Env());
    object.Set("loss", result.loss);
    object.Set("gradTemperature", result.grad_temperature);
    return object;
  });
}

}  // namespace

Napi::Object reference_exports(Napi::Env env) {
  auto exports = Napi::Object::New(env);
  exports.Set("ntXent", Napi::Function::New(env, nt_xent, "ntXent"));
  return exports;
}

}  // namespace vssl::binding
