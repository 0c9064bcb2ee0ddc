#include "kernels_reference.h"

#include <algorithm>
#include <string>

#include "../common/error.h"
#include "../kernels/reference.h"
#include "guard.h"
#include "kernels_arguments.h"

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
}

// One of two names; true: the second.
bool is_second(const Napi::Value& value, const char* name, const char* first, const char* second) {
  const std::string found = value.IsString() ? value.As<Napi::String>().Utf8Value() : "";
  if (found != first && found != second) reject(name, (std::string(first) + " or " + second).c_str());
  return found == second;
}

Napi::Value info_nce(const Napi::CallbackInfo& info) {
  expect_arguments(info, 13);
  const int64_t rows = integer(info[3], "rows"), dim = integer(info[4], "dim");
  const int64_t size = matrix_size(rows, dim);
  if (!info[6].IsTypedArray()) reject("ages", "a Float64Array");
  const auto length = static_cast<int64_t>(info[6].As<Napi::TypedArray>().ElementLength());
  MomentumQueueOptions queue;
  queue.decay = number(info[7], "decay");
  queue.decay_on = is_second(info[8], "decayOn", "logit", "weight") ? DecayOn::kWeight : DecayOn::kLogit;
  InfoNceOptions options;
  options.temperature = number(info[9], "temperature");
  options.normalize = boolean(info[10], "normalize");
  const double* queries = doubles(info[0], "queries", size).Data();
  const double* keys = doubles(info[1], "keys", size).Data();
  double* gradient = info[2].IsNull() ? nullptr : doubles(info[2], "gradient", size).Data();
  const double* queue_keys = doubles(info[5], "queueKeys", matrix_size(length, dim)).Data();
  const double* ages = doubles(info[6], "ages", length).Data();
  std::vector<int64_t> ids, queue_ids;
  if (!info[11].IsNull()) {
    const double* numbers = doubles(info[11], "ids", rows).Data();
    const double* queued = doubles(info[12], "queueIds", length).Data();
    ids.assign(numbers, numbers + rows);
    queue_ids.assign(queued, queued + length);
    options.ids = ids.data();
  }
  return Napi::Number::New(
      info.Env(), info_nce_reference(gradient, queries, keys, rows, dim, queue_keys, ages, length, queue,
                                     options, queue_ids.empty() ? nullptr : queue_ids.data()));
}

struct Clip {
  int64_t frames, pixels;

  Clip(const Napi::Value& frames_value, const Napi::Value& pixels_value)
      : frames(integer(frames_value, "frames", 64)), pixels(integer(pixels_value, "pixels")) {
    if (frames < 1) reject("frames", "1 to 64");
    matrix_size(frames, pixels);
  }
};

Napi::Value dct(const Napi::CallbackInfo& info) {
  expect_arguments(info, 6);
  const Clip clip(info[2], info[3]);
  DctOptions options;
  options.keep = integer(info[4], "keep", static_cast<double>(clip.frames));
  options.inverse = boolean(info[5], "inverse");
  const int64_t kept = (options.keep > 0 ? options.keep : clip.frames) * clip.pixels;
  const int64_t whole = clip.frames * clip.pixels;
  double* out = doubles(info[0], "out", options.inverse ? whole : kept).Data();
  const double* in = doubles(info[1], "clip", options.inverse ? kept : whole).Data();
  dct_reference(out, in, clip.frames, clip.pixels, options);
  return info.Env().Undefined();
}

Napi::Value dct_motion(const Napi::CallbackInfo& info) {
  expect_arguments(info, 6);
  const Clip clip(info[2], info[3]);
  DctMotionOptions options;
  options.drop_low = integer(info[4], "dropLow", static_cast<double>(clip.frames));
  const bool energy = is_second(info[5], "output", "signal", "energy");
  options.output = energy ? MotionOutput::kEnergy : MotionOutput::kSignal;
  const int64_t whole = clip.frames * clip.pixels;
  double* out = doubles(info[0], "out", energy ? clip.pixels : whole).Data();
  dct_motion_reference(out, doubles(info[1], "clip", whole).Data(), clip.frames, clip.pixels, options);
  return info.Env().Undefined();
}

Napi::Value frame_difference(const Napi::CallbackInfo& info) {
  expect_arguments(info, 4);
  const Clip clip(info[2], info[3]);
  if (clip.frames < 2) reject("frames", "2 to 64");
  double* out = doubles(info[0], "out", (clip.frames - 1) * clip.pixels).Data();
  const double* in = doubles(info[1], "clip", clip.frames * clip.pixels).Data();
  frame_difference_reference(out, in, clip.frames, clip.pixels);
  return info.Env().Undefined();
}

Napi::Value ema_update(const Napi::CallbackInfo& info) {
  expect_arguments(info, 3);
  if (!info[0].IsTypedArray()) reject("target", "a Float64Array");
  const auto size = static_cast<int64_t>(info[0].As<Napi::TypedArray>().ElementLength());
  double* target = doubles(info[0], "target", size).Data();
  const double* source = doubles(info[1], "source", size).Data();
  ema_update_reference(target, source, size, number(info[2], "momentum"));
  return info.Env().Undefined();
}

Napi::Value topk_dot(const Napi::CallbackInfo& info) {
  expect_arguments(info, 6);
  const int64_t dim = integer(info[4], "dim"), k = integer(info[5], "k");
  const Span queries = span(info[2], "queries"), rows = span(info[3], "rows");
  if (dim < 1 || queries.length % dim != 0 || rows.length % dim != 0)
    reject("dim", "a divisor of the lengths");
  const int64_t query_count = queries.length / dim, count = rows.length / dim;
  const int64_t given = query_count * std::min(k, count);
  const Span indices = span(info[0], "indices");
  if (indices.type != napi_int32_array || indices.length != given)
    reject("indices", "an Int32Array of its length");
  topk_dot_reference(info[0].As<Napi::Int32Array>().Data(), doubles(info[1], "scores", given).Data(),
                     doubles(info[2], "queries", queries.length).Data(), query_count,
                     doubles(info[3], "rows", rows.length).Data(), count, dim, k);
  return info.Env().Undefined();
}

}  // namespace

Napi::Object reference_exports(Napi::Env env) {
  auto exports = Napi::Object::New(env);
  add_function<nt_xent>(exports, "ntXent");
  add_function<info_nce>(exports, "infoNce");
  add_function<dct>(exports, "dct");
  add_function<dct_motion>(exports, "dctMotion");
  add_function<frame_difference>(exports, "frameDifference");
  add_function<ema_update>(exports, "emaUpdate");
  add_function<topk_dot>(exports, "topkDot");
  return exports;
}

}  // namespace vssl::binding
