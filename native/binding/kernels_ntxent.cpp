#include "kernels_ntxent.h"

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "../kernels/kernels.h"
#include "kernels_guard.h"

namespace vssl::binding {
namespace {

constexpr double kLargestInteger = 9007199254740991.0;  // 2^53 - 1

[[noreturn]] void reject(const char* name, const char* expected) {
  throw Error(kInvalidArgument, std::string("expected ") + expected + " for " + name);
}

int64_t integer(const Napi::Value& value, const char* name, double most = kLargestInteger) {
  if (!value.IsNumber()) reject(name, "a number");
  const double number = value.As<Napi::Number>().DoubleValue();
  if (!(number >= 0 && number <= most) || number != std::floor(number)) reject(name, "an integer in range");
  return static_cast<int64_t>(number);
}

Napi::Float32Array float_array(const Napi::Value& value, const char* name, int64_t length) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_float32_array) {
    reject(name, "a Float32Array");
  }
  const auto array = value.As<Napi::Float32Array>();
  // Another thread may write to shared memory while we read it.
  if (!array.ArrayBuffer().IsArrayBuffer()) reject(name, "an array that is not shared");
  if (array.ArrayBuffer().IsDetached()) reject(name, "an array that is not detached");
  if (static_cast<int64_t>(array.ElementLength()) != length) reject(name, "rows * dim values");
  return array;
}

struct Call {
  int64_t rows = 0;
  int64_t dim = 0;
  bool wants_gradient = false;
  NtXentOptions options;

  int64_t size() const { return rows * dim; }
};

Call parse(const Napi::CallbackInfo& info) {
  if (info.Length() != 8) throw Error(kInvalidArgument, "expected 8 arguments");
  Call call;
  call.rows = integer(info[2], "rows");
  call.dim = integer(info[3], "dim");
  if (call.dim < 1 || static_cast<double>(call.rows) * static_cast<double>(call.dim) > kLargestInteger) {
    reject("dim", "an integer in range");
  }
  call.wants_gradient = !info[1].IsNull();
  if (!info[4].IsNumber()) reject("temperature", "a number");
  call.options.temperature = info[4].As<Napi::Number>().DoubleValue();
  if (!info[5].IsBoolean()) reject("normalize", "a boolean");
  call.options.normalize = info[5].As<Napi::Boolean>().Value();
  const std::string precision = info[6].IsString() ? info[6].As<Napi::String>().Utf8Value() : "";
  if (precision != "fp32" && precision != "bf16") reject("precision", "'fp32' or 'bf16'");
  call.options.precision = precision == "bf16" ? Precision::kBf16 : Precision::kFp32;
  call.options.threads = static_cast<int>(integer(info[7], "threads", 4096));
  return call;
}

Napi::Object to_js(Napi::Env env, const NtXentResult& result) {
  auto object = Napi::Object::New(env);
  object.Set("loss", result.loss);
  object.Set("gradTemperature", result.grad_temperature);
  return object;
}

class NtXentWorker : public Napi::AsyncWorker {
 public:
  NtXentWorker(Napi::Env env, const Call& call, const Napi::Float32Array& embeddings,
               const Napi::Value& gradient)
      : Napi::AsyncWorker(env, "vssl.ntXent"),
        deferred_(Napi::Promise::Deferred::New(env)),
        call_(call),
        embeddings_(embeddings.Data(), embeddings.Data() + call.size()) {
    if (call.wants_gradient) target_ = Napi::Persistent(gradient.As<Napi::Object>());
  }

  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override {
    try {
      // In place: the kernel has read the embeddings when it writes the gradient.
      float* gradient = call_.wants_gradient ? embeddings_.data() : nullptr;
      result_ = nt_xent(gradient, embeddings_.data(), call_.rows, call_.dim, call_.options);
    } catch (...) {
      failure_ = current_failure();
      SetError(failure_.message);
    }
  }

  void OnOK() override {
    try {
      if (call_.wants_gradient) {
        const Napi::Value target = target_.Value();
        std::memcpy(float_array(target, "gradient", call_.size()).Data(), embeddings_.data(),
                    embeddings_.size() * sizeof(float));
      }
      deferred_.Resolve(to_js(Env(), result_));
    } catch (const Napi::Error&) {
      throw;
    } catch (...) {  // the caller gave the gradient away meanwhile
      deferred_.Reject(to_js_error(Env(), current_failure()).Value());
    }
  }

  void OnError(const Napi::Error&) override { deferred_.Reject(to_js_error(Env(), failure_).Value()); }

 private:
  Napi::Promise::Deferred deferred_;
  Call call_;
  std::vector<float> embeddings_;
  Napi::ObjectReference target_;
  NtXentResult result_;
  Failure failure_;
};

}  // namespace

Napi::Value nt_xent_sync(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const Call call = parse(info);
    const float* embeddings = float_array(info[0], "embeddings", call.size()).Data();
    float* gradient = call.wants_gradient ? float_array(info[1], "gradient", call.size()).Data() : nullptr;
    return to_js(info.Env(), nt_xent(gradient, embeddings, call.rows, call.dim, call.options));
  });
}

Napi::Value nt_xent_async(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const Call call = parse(info);
    const auto embeddings = float_array(info[0], "embeddings", call.size());
    if (call.wants_gradient) float_array(info[1], "gradient", call.size());
    auto* worker = new NtXentWorker(info.Env(), call, embeddings, info[1]);
    const Napi::Promise promise = worker->promise();
    worker->Queue();  // deletes itself when done
    return promise;
  });
}

}  // namespace vssl::binding
