#include "convert.h"

#include <cstring>

namespace vssl::binding {

namespace {

constexpr int kMaxDepth = 32;  // plans are shallow; a cyclic object must not overflow the stack

template <typename Array>
Value::Array numbers(const Array& array) {
  Value::Array out;
  out.reserve(array.ElementLength());
  for (size_t i = 0; i < array.ElementLength(); ++i) out.emplace_back(static_cast<double>(array[i]));
  return out;
}

// The bytes of a string: UTF-8, but a lone surrogate U+DC80 to U+DCFF is the byte 0x80 to 0xFF of a file name
// that is not UTF-8 (src/data/file-names.ts).
std::string bytes_of(const Napi::String& string) {
  std::string utf8 = string.Utf8Value();
  constexpr char kReplaced[] = "\xEF\xBF\xBD";  // what lone surrogates have become
  if (utf8.find(kReplaced) == std::string::npos) return utf8;
  const std::u16string units = string.Utf16Value();
  utf8.clear();
  for (size_t i = 0; i < units.size(); ++i) {
    char32_t c = units[i];
    const bool high = c >= 0xD800 && c < 0xDC00, low = c >= 0xDC00 && c < 0xE000;
    if (high && i + 1 < units.size() && units[i + 1] >= 0xDC00 && units[i + 1] < 0xE000) {
      c = 0x10000 + ((c - 0xD800) << 10) + (units[++i] - 0xDC00);
      utf8 += {static_cast<char>(0xF0 | c >> 18), static_cast<char>(0x80 | (c >> 12 & 63)),
               static_cast<char>(0x80 | (c >> 6 & 63)), static_cast<char>(0x80 | (c & 63))};
    } else if (low && c >= 0xDC80 && c <= 0xDCFF) {
      utf8 += static_cast<char>(c - 0xDC00);
    } else if (high || low) {
      utf8 += kReplaced;
    } else if (c < 0x80) {
      utf8 += static_cast<char>(c);
    } else if (c < 0x800) {
      utf8 += {static_cast<char>(0xC0 | c >> 6), static_cast<char>(0x80 | (c & 63))};
    } else {
      utf8 += {static_cast<char>(0xE0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 63)),
               static_cast<char>(0x80 | (c & 63))};
    }
  }
  return utf8;
}

Value convert(const Napi::Value& value, int depth) {
  if (depth > kMaxDepth)
    throw_argument("expected plain data but received an object nested deeper than 32 levels");
  switch (value.Type()) {
    case napi_undefined:
    case napi_null:
      return {};
    case napi_boolean:
      return value.As<Napi::Boolean>().Value();
    case napi_number:
      return value.As<Napi::Number>().DoubleValue();
    case napi_string:
      return bytes_of(value.As<Napi::String>());
    case napi_object:
      break;
    default:
      throw_argument("expected plain data (numbers, strings, booleans, arrays, objects)");
  }
  if (value.IsTypedArray()) {
    switch (value.As<Napi::TypedArray>().TypedArrayType()) {
      case napi_float64_array:
        return numbers(value.As<Napi::Float64Array>());
      case napi_float32_array:
        return numbers(value.As<Napi::Float32Array>());
      case napi_int32_array:
        return numbers(value.As<Napi::Int32Array>());
      default:
        throw_argument("expected a Float64Array, Float32Array or Int32Array inside plain data");
    }
  }
  if (value.IsArray()) {
    const auto array = value.As<Napi::Array>();
    Value::Array out;
    out.reserve(array.Length());
    for (uint32_t i = 0; i < array.Length(); ++i) out.push_back(convert(array.Get(i), depth + 1));
    return out;
  }
  const auto object = value.As<Napi::Object>();
  const auto keys = object.GetPropertyNames();
  Value::Object out;
  for (uint32_t i = 0; i < keys.Length(); ++i) {
    const Napi::Value key = keys.Get(i);
    out.emplace(key.ToString().Utf8Value(), convert(object.Get(key), depth + 1));
  }
  return out;
}

template <typename Array, typename T>
std::vector<T> copy_typed(const Napi::Value& value, napi_typedarray_type type, const char* name,
                          const char* expected) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type)
    throw_argument(std::string("expected ") + expected + " for " + name);
  const auto array = value.As<Array>();
  const auto* data = reinterpret_cast<const T*>(array.Data());
  return std::vector<T>(data, data + array.ElementLength());
}

void set(Napi::Object& object, const char* key, double number) {
  object.Set(key, Napi::Number::New(object.Env(), number));
}

}  // namespace

void throw_argument(const std::string& message) { throw Error("ERR_VSSL_INVALID_ARGUMENT", message); }

Value to_value(const Napi::Value& value) { return convert(value, 0); }

Napi::Value from_value(Napi::Env env, const Value& value) {
  if (value.is_bool()) return Napi::Boolean::New(env, value.as_bool(""));
  if (value.is_number()) return Napi::Number::New(env, value.as_number(""));
  if (value.is_string()) return Napi::String::New(env, value.as_string(""));
  if (value.is_array()) {
    const auto& items = value.as_array("");
    auto out = Napi::Array::New(env, items.size());
    for (uint32_t i = 0; i < items.size(); ++i) out.Set(i, from_value(env, items[i]));
    return out;
  }
  if (value.is_object()) {
    auto out = Napi::Object::New(env);
    for (const auto& [key, item] : value.as_object("")) out.Set(key, from_value(env, item));
    return out;
  }
  return env.Null();
}

Napi::Value from_index(Napi::Env env, const video::VideoIndex& index) {
  auto out = Napi::Object::New(env);
  out.Set("codec", index.codec);
  set(out, "width", index.width);
  set(out, "height", index.height);
  set(out, "rotation", index.orientation.rotation);
  out.Set("mirrored", index.orientation.mirror);
  set(out, "sampleAspect", index.sample_aspect);
  set(out, "end", index.end);
  auto times = Napi::Float64Array::New(env, index.times.size());
  if (!index.times.empty())
    std::memcpy(times.Data(), index.times.data(), index.times.size() * sizeof(double));
  auto keys = Napi::Int32Array::New(env, index.keys.size());
  if (!index.keys.empty()) std::memcpy(keys.Data(), index.keys.data(), index.keys.size() * sizeof(int32_t));
  auto warnings = Napi::Array::New(env, index.warnings.size());
  for (uint32_t i = 0; i < index.warnings.size(); ++i) warnings.Set(i, index.warnings[i]);
  out.Set("times", times);
  out.Set("keys", keys);
  out.Set("warnings", warnings);
  return out;
}

Napi::Value from_stats(Napi::Env env, const engine::MemoryStats& stats) {
  auto out = Napi::Object::New(env);
  set(out, "liveTensors", static_cast<double>(stats.live_tensors));
  set(out, "hostBytes", static_cast<double>(stats.host_bytes));
  set(out, "deviceBytes", static_cast<double>(stats.device_bytes));
  return out;
}

Napi::Value from_step(Napi::Env env, const engine::StepResult& step) {
  auto out = Napi::Object::New(env);
  auto losses = Napi::Object::New(env);
  for (const auto& [name, loss] : step.losses) losses.Set(name, loss);
  out.Set("losses", losses);
  out.Set("finite", Napi::Boolean::New(env, step.finite));
  out.Set("overflow", Napi::Boolean::New(env, step.overflow));
  set(out, "gradNorm", step.grad_norm);
  set(out, "forwardSeconds", step.forward_seconds);
  set(out, "lossSeconds", step.loss_seconds);
  set(out, "backwardSeconds", step.backward_seconds);
  set(out, "optimizerSeconds", step.optimizer_seconds);
  set(out, "exchangeSeconds", step.exchange_seconds);
  set(out, "lossExchangeSeconds", step.loss_exchange_seconds);
  set(out, "exchangeBytes", step.exchange_bytes);
  return out;
}

Napi::Value from_convolutions(Napi::Env env, const std::vector<engine::ConvolutionTime>& times) {
  auto list = Napi::Array::New(env, times.size());
  const auto sizes = [env](const std::vector<int64_t>& of) {
    return from_value(env, Value::Array(of.begin(), of.end()));
  };
  for (size_t i = 0; i < times.size(); ++i) {
    const engine::ConvolutionTime& time = times[i];
    auto one = Napi::Object::New(env);
    one.Set("input", sizes(time.input));
    one.Set("output", sizes(time.output));
    one.Set("kernel", sizes(time.kernel));
    set(one, "flops", time.flops);
    set(one, "seconds", time.seconds);
    list.Set(static_cast<uint32_t>(i), one);
  }
  return list;
}

namespace {

// The bytes as a Uint8Array over the vector's own memory; a copy where the runtime has no such arrays.
Napi::Uint8Array take_bytes(Napi::Env env, std::vector<uint8_t>& bytes) {
  if (!bytes.empty()) {
    auto owner = std::make_unique<std::vector<uint8_t>>(std::move(bytes));
    const auto free_owner = [](napi_env, void*, void* hint) {
      delete static_cast<std::vector<uint8_t>*>(hint);
    };
    napi_value buffer;
    if (napi_create_external_arraybuffer(env, owner->data(), owner->size(), free_owner, owner.get(),
                                         &buffer) == napi_ok) {
      const size_t size = owner.release()->size();
      return Napi::Uint8Array::New(env, size, Napi::ArrayBuffer(env, buffer), 0);
    }
    bytes = std::move(*owner);
  }
  auto copy = Napi::Uint8Array::New(env, bytes.size());
  if (!bytes.empty()) std::memcpy(copy.Data(), bytes.data(), bytes.size());
  return copy;
}

}  // namespace

Napi::Value from_tensors(Napi::Env env, std::vector<engine::NamedTensor>& tensors) {
  auto out = Napi::Array::New(env, tensors.size());
  for (uint32_t i = 0; i < tensors.size(); ++i) {
    auto& tensor = tensors[i];
    auto item = Napi::Object::New(env);
    item.Set("name", tensor.name);
    item.Set("dtype", tensor.dtype);
    auto shape = Napi::Array::New(env, tensor.shape.size());
    for (uint32_t d = 0; d < tensor.shape.size(); ++d) shape.Set(d, static_cast<double>(tensor.shape[d]));
    item.Set("shape", shape);
    item.Set("data", take_bytes(env, tensor.data));
    out.Set(i, item);
  }
  return out;
}

std::vector<engine::NamedTensor> to_tensors(const Napi::Value& value) {
  if (!value.IsArray()) throw_argument("expected an array of named tensors");
  const auto array = value.As<Napi::Array>();
  std::vector<engine::NamedTensor> out(array.Length());
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Value item = array.Get(i);
    if (!item.IsObject()) throw_argument("expected an object for each named tensor");
    const auto object = item.As<Napi::Object>();
    auto& tensor = out[i];
    tensor.name = to_value(object.Get("name")).as_string("tensor name");
    tensor.dtype = to_value(object.Get("dtype")).as_string("dtype of " + tensor.name);
    const Value shape = to_value(object.Get("shape"));
    for (const auto& d : shape.as_array("shape of " + tensor.name))
      tensor.shape.push_back(d.as_int("shape of " + tensor.name));
    tensor.data = to_bytes(object.Get("data"), tensor.name.c_str());
  }
  return out;
}

std::vector<float> to_floats(const Napi::Value& value, const char* name) {
  return copy_typed<Napi::Float32Array, float>(value, napi_float32_array, name, "a Float32Array");
}
std::vector<int32_t> to_ints(const Napi::Value& value, const char* name) {
  return copy_typed<Napi::Int32Array, int32_t>(value, napi_int32_array, name, "an Int32Array");
}
std::vector<uint8_t> to_bytes(const Napi::Value& value, const char* name) {
  return copy_typed<Napi::Uint8Array, uint8_t>(value, napi_uint8_array, name, "a Uint8Array");
}

Napi::Value from_floats(Napi::Env env, const std::vector<float>& values) {
  auto out = Napi::Float32Array::New(env, values.size());
  if (!values.empty()) std::memcpy(out.Data(), values.data(), values.size() * sizeof(float));
  return out;
}

Napi::Value from_bytes(Napi::Env env, const std::vector<uint8_t>& bytes) {
  auto out = Napi::Uint8Array::New(env, bytes.size());
  std::copy(bytes.begin(), bytes.end(), out.Data());
  return out;
}

}  // namespace vssl::binding
