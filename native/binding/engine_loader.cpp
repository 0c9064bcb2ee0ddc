// NativeBatch and NativeLoader.
#include <cstring>
#include <utility>

#include "convert.h"
#include "engine_objects.h"

namespace vssl::binding {

namespace {

Napi::Array from_ints(Napi::Env env, const std::vector<int64_t>& values) {
  auto out = Napi::Array::New(env, values.size());
  for (uint32_t i = 0; i < values.size(); ++i) out.Set(i, static_cast<double>(values[i]));
  return out;
}

Napi::Value from_buffers(Napi::Env env, const video::Batch& batch,
                         const std::vector<video::ViewBuffer>& buffers) {
  auto out = Napi::Array::New(env, buffers.size());
  for (uint32_t i = 0; i < buffers.size(); ++i) {
    const auto& buffer = buffers[i];
    auto item = Napi::Object::New(env);
    item.Set("name", buffer.name);
    item.Set("dtype", buffer.dtype == video::DType::kFloat32 ? "float32" : "int64");
    item.Set("shape", from_ints(env, buffer.shape));
    item.Set("rows",
             buffer.shape[0] == batch.samples ? env.Null() : Napi::Value(from_ints(env, buffer.rows)));
    out.Set(i, item);
  }
  return out;
}

class BatchObject : public Object<BatchObject, video::Batch> {
 public:
  static constexpr const char* kName = "NativeBatch";
  using Object::Object;

  static void define(Napi::Env env) {
    define_class(env,
                 {method<&BatchObject::views>("views"), method<&BatchObject::side>("side"),
                  method<&BatchObject::to_float32>("toFloat32"), method<&BatchObject::to_int64>("toInt64")});
  }

  static int64_t bytes_of(const video::Batch& batch) {
    int64_t bytes = 0;
    for (const auto* buffers : {&batch.views, &batch.side})
      for (const auto& buffer : *buffers) bytes += buffer.held_bytes();
    return bytes;
  }

 private:
  Napi::Value views(const Napi::CallbackInfo& info) { return from_buffers(info.Env(), *get(), get()->views); }
  Napi::Value side(const Napi::CallbackInfo& info) { return from_buffers(info.Env(), *get(), get()->side); }
  Napi::Value to_float32(const Napi::CallbackInfo& info) {
    return copy_of<Napi::Float32Array>(info, video::DType::kFloat32, "float32");
  }
  Napi::Value to_int64(const Napi::CallbackInfo& info) {
    return copy_of<Napi::BigInt64Array>(info, video::DType::kInt64, "int64");
  }

  // A copy of the view or side array that the argument names.
  template <typename Array>
  Napi::Value copy_of(const Napi::CallbackInfo& info, video::DType dtype, const std::string& type) {
    const std::string name = to_value(info[0]).as_string("name");
    for (const auto* buffers : {&get()->views, &get()->side}) {
      for (const auto& b : *buffers) {
        if (b.name != name) continue;
        if (b.dtype != dtype)
          throw_argument("expected the name of " + type + " rows but received " + b.text());
        auto out = Array::New(info.Env(), static_cast<size_t>(b.shape[0] * b.row_values()));
        b.copy_to(out.Data());
        return out;
      }
    }
    throw_argument("expected the name of a view or side array of this batch but received '" + name + "'");
  }
};

Napi::Value from_load(Napi::Env env, const video::LoadResult& result) {
  vssl::Value::Array failures;
  for (const auto& f : result.failures) {
    vssl::Value::Object failure{{"view", f.view}, {"sample", f.sample}, {"path", f.path},
                                {"code", f.code}, {"reason", f.reason}, {"where", f.where}};
    failures.emplace_back(std::move(failure));
  }
  const vssl::Value::Object stats{
      {"decodedFrames", result.stats.decoded_frames}, {"cacheHits", result.stats.cache_hits},
      {"cacheMisses", result.stats.cache_misses},     {"standIns", result.stats.stand_ins},
      {"decodeSeconds", result.stats.decode_seconds}, {"augmentSeconds", result.stats.augment_seconds}};
  auto out = Napi::Object::New(env);
  out.Set("batch", BatchObject::make(env, result.batch));
  out.Set("failures", from_value(env, failures));
  out.Set("stats", from_value(env, stats));
  return out;
}

class LoaderObject : public Object<LoaderObject, video::Loader> {
 public:
  static constexpr const char* kName = "NativeLoader";
  using Object::Object;

  static void define(Napi::Env env) {
    using L = LoaderObject;
    define_class(env, {method<&L::load>("load"), method<&L::add_memory_clip>("addMemoryClip"),
                       method<&L::remove_memory_clip, true>("removeMemoryClip"),
                       method<&L::add_memory_file>("addMemoryFile"),
                       method<&L::append_memory_file>("appendMemoryFile"),
                       method<&L::index_memory_file>("indexMemoryFile"),
                       method<&L::remove_memory_file, true>("removeMemoryFile")});
  }

 private:
  Napi::Value load(const Napi::CallbackInfo& info) {
    const vssl::Value plan = to_value(info[0]);
    std::shared_ptr<video::Batch> into;
    if (info.Length() > 1 && !info[1].IsUndefined() && !info[1].IsNull()) into = to_batch(info[1]);
    const auto start = [&](const std::shared_ptr<Outcome<video::LoadResult>>& outcome) {
      get()->load(plan, into, [outcome](video::LoadResult result, std::exception_ptr error) {
        outcome->result = std::move(result);
        outcome->error = error;
        outcome->post();
      });
    };
    return promise_of<video::LoadResult>(info.Env(), start, from_load);
  }

  Napi::Value add_memory_clip(const Napi::CallbackInfo& info) {
    const auto frames = to_bytes(info[0], "frames");
    const int64_t t = to_value(info[1]).as_int("t");
    const int64_t h = to_value(info[2]).as_int("h");
    const int64_t w = to_value(info[3]).as_int("w");
    if (t < 1 || h < 1 || w < 1 || static_cast<double>(t) * h * w * 3 != static_cast<double>(frames.size()))
      throw_argument("expected t * h * w * 3 bytes for frames but received " + std::to_string(frames.size()));
    return from_value(info.Env(), get()->add_memory_clip(frames.data(), t, h, w));
  }

  void remove_memory_clip(const Napi::CallbackInfo& info) {
    get()->remove_memory_clip(to_value(info[0]).as_int("id"));
  }

  Napi::Value add_memory_file(const Napi::CallbackInfo& info) {
    return from_value(info.Env(), get()->add_memory_file());
  }

  void append_memory_file(const Napi::CallbackInfo& info) {
    const int64_t id = to_value(info[0]).as_int("id");
    if (!info[1].IsTypedArray() || info[1].As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array)
      throw_argument("expected a Uint8Array for bytes");
    const auto bytes = info[1].As<Napi::Uint8Array>();
    // copied here and now, on the thread that alone could detach the array
    if (bytes.ByteLength() > 0)
      get()->append_memory_file(id, bytes.Data(), static_cast<int64_t>(bytes.ByteLength()));
  }

  Napi::Value index_memory_file(const Napi::CallbackInfo& info) {
    return run_async(
        info.Env(), jobs(info.Env()),
        [loader = get(), id = to_value(info[0]).as_int("id")] { return loader->index_memory_file(id); },
        from_index);
  }

  void remove_memory_file(const Napi::CallbackInfo& info) {
    auto bytes = get()->remove_memory_file(to_value(info[0]).as_int("id"));
    // freed on another thread: it takes a while where they are many
    if (bytes) jobs(info.Env()).run([bytes = std::move(bytes)] {});
  }
};

}  // namespace

void define_loader(Napi::Env env) {
  BatchObject::define(env);
  LoaderObject::define(env);
}

std::shared_ptr<video::Batch> to_batch(const Napi::Value& value) { return BatchObject::of(value); }

Napi::Value create_loader(const Napi::CallbackInfo& info) {
  const vssl::Value options = to_value(info[0]);
  video::LoaderOptions o;
  o.threads = static_cast<int>(options.get_int("threads", 1));
  o.cache_bytes = options.get_int("cacheBytes", 0);
  o.packs = options.get_bool("packs", false);
  if (o.threads < 1 || o.threads > 1024) throw_argument("expected 1 to 1024 for threads");
  if (o.cache_bytes < 0) throw_argument("expected 0 or more bytes for cacheBytes");
  return LoaderObject::make(info.Env(), shared_off_loop<video::Loader>(o));
}

}  // namespace vssl::binding
