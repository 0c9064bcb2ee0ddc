#include "kernels_spans.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "../kernels/kernels.h"
#include "async.h"
#include "kernels_arguments.h"

namespace vssl::binding {
namespace {

constexpr double kMostFrames = 1 << 20;  // keeps frames * pixels in range; the kernels' own limits are lower

int64_t positive(const Napi::Value& value, const char* name, double most) {
  const int64_t found = integer(value, name, most);
  if (found < 1) reject(name, "an integer of at least 1");
  return found;
}

// The arguments that all functions of clips begin with.
struct ClipCall {
  int64_t frames, pixels;

  explicit ClipCall(const Napi::CallbackInfo& info)
      : frames(positive(info[2], "frames", kMostFrames)),
        pixels(positive(info[3], "pixels", kLargestInteger / kMostFrames)) {}
};

struct DctCall : ClipCall {
  DctOptions options;

  static constexpr std::size_t kArguments = 7;

  explicit DctCall(const Napi::CallbackInfo& info) : ClipCall(info) {
    options.inverse = boolean(info[4], "inverse");
    options.keep = positive(info[5], "keep", static_cast<double>(frames));
    options.threads = thread_count(info[6]);
  }

  int64_t size_in() const { return (options.inverse ? options.keep : frames) * pixels; }
  int64_t size_out() const { return (options.inverse ? frames : options.keep) * pixels; }

  template <typename In>
  void run(float* out, const In* clip) const {
    dct(out, clip, frames, pixels, options);
  }
};

struct MotionCall : ClipCall {
  DctMotionOptions options;

  static constexpr std::size_t kArguments = 7;

  explicit MotionCall(const Napi::CallbackInfo& info) : ClipCall(info) {
    options.drop_low = integer(info[4], "dropLow", static_cast<double>(frames));
    const std::string output = info[5].IsString() ? info[5].As<Napi::String>().Utf8Value() : "";
    if (output != "signal" && output != "energy") reject("output", "'signal' or 'energy'");
    options.output = output == "signal" ? MotionOutput::kSignal : MotionOutput::kEnergy;
    options.threads = thread_count(info[6]);
  }

  int64_t size_in() const { return frames * pixels; }
  int64_t size_out() const { return options.output == MotionOutput::kEnergy ? pixels : frames * pixels; }

  template <typename In>
  void run(float* out, const In* clip) const {
    dct_motion(out, clip, frames, pixels, options);
  }
};

struct DifferenceCall : ClipCall {
  int threads;

  static constexpr std::size_t kArguments = 5;

  explicit DifferenceCall(const Napi::CallbackInfo& info) : ClipCall(info), threads(thread_count(info[4])) {}

  int64_t size_in() const { return frames * pixels; }
  int64_t size_out() const { return (frames - 1) * pixels; }

  template <typename In>
  void run(float* out, const In* clip) const {
    frame_difference(out, clip, frames, pixels, threads);
  }
};

bool is_bytes(const Napi::Value& value) {
  return value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array;
}

// As float_array().
Napi::Uint8Array byte_array(const Napi::Value& value, const char* name, int64_t length) {
  const auto array = value.As<Napi::Uint8Array>();
  if (!array.ArrayBuffer().IsArrayBuffer()) reject(name, "an array that is not shared");
  if (array.ArrayBuffer().IsDetached()) reject(name, "an array that is not detached");
  if (static_cast<int64_t>(array.ElementLength()) != length) reject(name, "an array of the right length");
  return array;
}

template <typename Call>
Napi::Value run_now(const Napi::CallbackInfo& info) {
  expect_arguments(info, Call::kArguments);
  const Call call(info);
  float* out = float_array(info[1], "out", call.size_out()).Data();
  if (is_bytes(info[0])) {
    call.run(out, byte_array(info[0], "clip", call.size_in()).Data());
  } else {
    call.run(out, float_array(info[0], "clip", call.size_in()).Data());
  }
  return info.Env().Undefined();
}

template <typename T>
std::unique_ptr<T[]> copy_of(const T* values, int64_t size) {
  std::unique_ptr<T[]> copy(new T[size]);  // not make_unique, which would clear it first
  std::copy_n(values, size, copy.get());
  return copy;
}

// Calls work() off the event loop, then writes the array that it returned to `target`.
template <typename Work>
Napi::Value write_later(Napi::Env env, const Napi::Float32Array& target, const char* argument, Work work) {
  auto place = std::make_unique<Napi::ObjectReference>(Napi::Persistent(target.As<Napi::Object>()));
  const auto size = static_cast<int64_t>(target.ElementLength());
  auto finish = [size, argument, place = std::move(place)](Napi::Env env,
                                                           const std::unique_ptr<float[]>& result) {
    // Fails when the caller gave the array away meanwhile.
    std::copy_n(result.get(), size, float_array(place->Value(), argument, size).Data());
    return env.Undefined();
  };
  return run_async(env, jobs(env), std::move(work), std::move(finish));
}

template <typename Call, typename In>
Napi::Value run_on_copy(Napi::Env env, const Call& call, const Napi::Float32Array& out, const In* clip) {
  return write_later(env, out, "out", [call, values = copy_of(clip, call.size_in())] {
    std::unique_ptr<float[]> result(new float[call.size_out()]);
    call.run(result.get(), values.get());
    return result;
  });
}

template <typename Call>
Napi::Value run_later(const Napi::CallbackInfo& info) {
  expect_arguments(info, Call::kArguments);
  const Call call(info);
  const Napi::Float32Array out = float_array(info[1], "out", call.size_out());
  if (is_bytes(info[0])) {
    return run_on_copy(info.Env(), call, out, byte_array(info[0], "clip", call.size_in()).Data());
  }
  return run_on_copy(info.Env(), call, out, float_array(info[0], "clip", call.size_in()).Data());
}

struct EmaCall {
  Napi::Float32Array target, source;
  int64_t size;
  double momentum;

  explicit EmaCall(const Napi::CallbackInfo& info) {
    expect_arguments(info, 4);
    size = integer(info[2], "size");
    target = float_array(info[0], "target", size);
    source = float_array(info[1], "source", size);
    momentum = number(info[3], "momentum");
  }
};

}  // namespace

Napi::Value dct_sync(const Napi::CallbackInfo& info) { return run_now<DctCall>(info); }
Napi::Value dct_motion_sync(const Napi::CallbackInfo& info) { return run_now<MotionCall>(info); }
Napi::Value frame_difference_sync(const Napi::CallbackInfo& info) { return run_now<DifferenceCall>(info); }
Napi::Value dct_async(const Napi::CallbackInfo& info) { return run_later<DctCall>(info); }
Napi::Value dct_motion_async(const Napi::CallbackInfo& info) { return run_later<MotionCall>(info); }
Napi::Value frame_difference_async(const Napi::CallbackInfo& info) { return run_later<DifferenceCall>(info); }

Napi::Value ema_update_sync(const Napi::CallbackInfo& info) {
  EmaCall call(info);
  const EmaSpan span{call.target.Data(), call.source.Data(), call.size};
  ema_update(&span, 1, call.momentum);
  return info.Env().Undefined();
}

Napi::Value ema_update_async(const Napi::CallbackInfo& info) {
  EmaCall call(info);
  auto work = [target = copy_of(call.target.Data(), call.size),
               source = copy_of(call.source.Data(), call.size), size = call.size,
               momentum = call.momentum]() mutable {
    const EmaSpan span{target.get(), source.get(), size};
    ema_update(&span, 1, momentum);
    return std::move(target);
  };
  return write_later(info.Env(), call.target, "target", std::move(work));
}

}  // namespace vssl::binding
