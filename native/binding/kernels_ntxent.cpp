#include "kernels_ntxent.h"

#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "../kernels/kernels.h"
#include "async.h"
#include "kernels_arguments.h"

namespace vssl::binding {
namespace {

struct Call {
  int64_t rows = 0;
  int64_t dim = 0;
  bool wants_gradient = false;
  NtXentOptions options;

  int64_t size() const { return rows * dim; }
};

Call parse(const Napi::CallbackInfo& info) {
  expect_arguments(info, 8);
  Call call;
  call.rows = integer(info[2], "rows");
  call.dim = integer(info[3], "dim");
  matrix_size(call.rows, call.dim);
  call.wants_gradient = !info[1].IsNull();
  call.options.temperature = number(info[4], "temperature");
  call.options.normalize = boolean(info[5], "normalize");
  call.options.precision = precision(info[6]);
  call.options.threads = thread_count(info[7]);
  return call;
}

Napi::Object to_js(Napi::Env env, const NtXentResult& result) {
  auto object = Napi::Object::New(env);
  object.Set("loss", result.loss);
  object.Set("gradTemperature", result.grad_temperature);
  return object;
}

}  // namespace

Napi::Value nt_xent_sync(const Napi::CallbackInfo& info) {
  const Call call = parse(info);
  const float* embeddings = float_array(info[0], "embeddings", call.size()).Data();
  float* gradient = call.wants_gradient ? float_array(info[1], "gradient", call.size()).Data() : nullptr;
  return to_js(info.Env(), nt_xent(gradient, embeddings, call.rows, call.dim, call.options));
}

Napi::Value nt_xent_async(const Napi::CallbackInfo& info) {
  const Call call = parse(info);
  const auto embeddings = float_array(info[0], "embeddings", call.size());
  auto target = std::make_unique<Napi::ObjectReference>();
  if (call.wants_gradient) {
    *target = Napi::Persistent(float_array(info[1], "gradient", call.size()).As<Napi::Object>());
  }
  auto values = std::make_shared<std::vector<float>>(embeddings.Data(), embeddings.Data() + call.size());
  const auto work = [call, values] {
    // In place: the kernel has read the embeddings when it writes the gradient.
    float* gradient = call.wants_gradient ? values->data() : nullptr;
    return nt_xent(gradient, values->data(), call.rows, call.dim, call.options);
  };
  auto finish = [call, values, target = std::move(target)](Napi::Env env, const NtXentResult& result) {
    if (call.wants_gradient) {  // fails when the caller gave the gradient away meanwhile
      std::memcpy(float_array(target->Value(), "gradient", call.size()).Data(), values->data(),
                  values->size() * sizeof(float));
    }
    return to_js(env, result);
  };
  return run_async(info.Env(), jobs(info.Env()), work, std::move(finish));
}

}  // namespace vssl::binding
