// NativeBatch and NativeLoader.
#include <cstring>
#include <utility>

#include "convert.h"
#include "engine_objects.h"

namespace vssl::binding {

namespace {

int64_t bytes_of(const video::Batch& batch) {
  int64_t bytes = 0;
  for (const auto* buffers : {&batch.views, &batch.side})
    for (const auto& buffer : *buffers) bytes += buffer.bytes();
  return bytes;
}

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
    const bool whole = buffer.shape[0] == batch.samples;
    auto item = Napi::Object::New(env);
    item.Set("name", buffer.name);
    item.Set("dtype", buffer.dtype == video::DType::kFloat32 ? "float32" : "int64");
    item.Set("shape", from_ints(env, buffer.shape));
    item.Set("rows", whole ? env.Null() : Napi::Value(from_ints(env, buffer.rows)));
    out.Set(i, item);
  }
  return out;
}

class BatchObject : public Napi::ObjectWrap<BatchObject> {
 public:
  explicit BatchObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<BatchObject>(info) {
    if (info.Length() != 1 || !info[0].IsExternal())
      throw Napi::TypeError::New(info.Env(), "batches are made by a loader");
    batch_ = *info[0].As<Napi::External<std::shared_ptr<video::Batch>>>().Data();
    bytes_ = bytes_of(*batch_);
    Napi::MemoryManagement::AdjustExternalMemory(info.Env(), bytes_);
  }
  void Finalize(Napi::Env env) override { release(env); }

  std::shared_ptr<video::Batch> get() const {
    if (!batch_) throw_disposed("batch");
    return batch_;
  }

  Napi::Value views(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] { return from_buffers(info.Env(), *get(), get()->views); });
  }

  Napi::Value side(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] { return from_buffers(info.Env(), *get(), get()->side); });
  }

  Napi::Value to_float32(const Napi::CallbackInfo& info) {
    return copy_of<Napi::Float32Array>(info, video::DType::kFloat32, "float32");
  }

  Napi::Value to_int64(const Napi::CallbackInfo& info) {
    return copy_of<Napi::BigInt64Array>(info, video::DType::kInt64, "int64");
  }

  void dispose(const Napi::CallbackInfo& info) { release(info.Env()); }

 private:
  // A copy of the view or side array that the argument names.
  template <typename Array>
  Napi::Value copy_of(const Napi::CallbackInfo& info, video::DType dtype, const std::string& type) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      const auto batch = get();
      const std::string name = to_value(info[0]).as_string("name");
      for (const auto* buffers : {&batch->views, &batch->side}) {
        for (const auto& b : *buffers) {
          if (b.name != name) continue;
          if (b.dtype != dtype)
            throw_argument("expected the name of " + type + " rows but received " + b.text());
          auto out = Array::New(info.Env(), static_cast<size_t>(b.shape[0] * b.row_values()));
          if (b.bytes() > 0) std::memcpy(out.Data(), b.data.get(), static_cast<size_t>(b.bytes()));
          return out;
        }
      }
      throw_argument("expected the name of a view or side array of this batch but received '" + name + "'");
    });
  }
  void release(Napi::Env env) {
    if (!batch_) return;
    batch_.reset();
    Napi::MemoryManagement::AdjustExternalMemory(env, -bytes_);
  }
  std::shared_ptr<video::Batch> batch_;
  int64_t bytes_ = 0;
};

Napi::Value from_load(Napi::Env env, const video::LoadResult& result) {
  auto out = Napi::Object::New(env);
  out.Set("batch", from_batch(env, result.batch));
  auto failures = Napi::Array::New(env, result.failures.size());
  for (uint32_t i = 0; i < result.failures.size(); ++i) {
    const auto& f = result.failures[i];
    auto item = Napi::Object::New(env);
    item.Set("view", f.view);
    item.Set("sample", f.sample);
    item.Set("path", f.path);
    item.Set("code", f.code);
    item.Set("reason", f.reason);
    item.Set("where", f.where);
    failures.Set(i, item);
  }
  out.Set("failures", failures);
  auto stats = Napi::Object::New(env);
  stats.Set("decodedFrames", static_cast<double>(result.stats.decoded_frames));
  stats.Set("cacheHits", static_cast<double>(result.stats.cache_hits));
  stats.Set("cacheMisses", static_cast<double>(result.stats.cache_misses));
  stats.Set("standIns", static_cast<double>(result.stats.stand_ins));
  stats.Set("decodeSeconds", result.stats.decode_seconds);
  stats.Set("augmentSeconds", result.stats.augment_seconds);
  out.Set("stats", stats);
  return out;
}

class LoaderObject : public Napi::ObjectWrap<LoaderObject> {
 public:
  explicit LoaderObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<LoaderObject>(info) {
    guarded(info.Env(), [&] {
      const vssl::Value options = to_value(info[0]);
      video::LoaderOptions o;
      o.threads = static_cast<int>(options.get_int("threads", 1));
      o.cache_bytes = options.get_int("cacheBytes", 0);
      if (o.threads < 1 || o.threads > 1024) throw_argument("expected 1 to 1024 for threads");
      if (o.cache_bytes < 0) throw_argument("expected 0 or more bytes for cacheBytes");
      loader_ = shared_off_loop<video::Loader>(o);
    });
  }

  Napi::Value load(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    return guarded(env, [&]() -> Napi::Value {
      if (!loader_) throw_disposed("loader");
      const vssl::Value plan = to_value(info[0]);
      std::shared_ptr<video::Batch> into;
      if (info.Length() > 1 && !info[1].IsUndefined() && !info[1].IsNull()) into = to_batch(info[1]);
      struct Answer {
        video::LoadResult result;
        std::exception_ptr error;
      };
      const auto answer = std::make_shared<Answer>();
      const auto dispatcher = env.GetInstanceData<AddonData>()->dispatcher;
      const auto deferred = Napi::Promise::Deferred::New(env);
      const auto ticket = dispatcher->begin(env, [deferred, answer](Napi::Env js) {
        if (answer->error) return deferred.Reject(to_js_error(js, answer->error));
        deferred.Resolve(from_load(js, answer->result));
      });
      loader_->load(plan, into,
                    [dispatcher, ticket, answer](video::LoadResult result, std::exception_ptr error) {
                      *answer = {std::move(result), error};
                      dispatcher->post(ticket);
                    });
      return deferred.Promise();
    });
  }

  Napi::Value add_memory_clip(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      if (!loader_) throw_disposed("loader");
      const auto frames = to_bytes(info[0], "frames");
      const int64_t t = to_value(info[1]).as_int("t");
      const int64_t h = to_value(info[2]).as_int("h");
      const int64_t w = to_value(info[3]).as_int("w");
      if (t < 1 || h < 1 || w < 1 || static_cast<double>(t) * h * w * 3 != static_cast<double>(frames.size()))
        throw_argument("expected t * h * w * 3 = " + std::to_string(t * h * w * 3) +
                       " bytes for frames but received " + std::to_string(frames.size()));
      return Napi::Number::New(info.Env(),
                               static_cast<double>(loader_->add_memory_clip(frames.data(), t, h, w)));
    });
  }

  void remove_memory_clip(const Napi::CallbackInfo& info) {
    guarded(info.Env(), [&] {
      if (loader_) loader_->remove_memory_clip(to_value(info[0]).as_int("id"));
    });
  }

  Napi::Value add_memory_file(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      if (!loader_) throw_disposed("loader");
      return Napi::Number::New(info.Env(), static_cast<double>(loader_->add_memory_file()));
    });
  }

  void append_memory_file(const Napi::CallbackInfo& info) {
    guarded(info.Env(), [&] {
      if (!loader_) throw_disposed("loader");
      const int64_t id = to_value(info[0]).as_int("id");
      if (!info[1].IsTypedArray() || info[1].As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array)
        throw_argument("expected a Uint8Array for bytes");
      const auto bytes = info[1].As<Napi::Uint8Array>();
      // copied here and now, on the thread that alone could detach the array
      if (bytes.ByteLength() > 0)
        loader_->append_memory_file(id, bytes.Data(), static_cast<int64_t>(bytes.ByteLength()));
    });
  }

  Napi::Value index_memory_file(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] {
      if (!loader_) throw_disposed("loader");
      return run_async(
          info.Env(), jobs(info.Env()),
          [loader = loader_, id = to_value(info[0]).as_int("id")] { return loader->index_memory_file(id); },
          from_index);
    });
  }

  void remove_memory_file(const Napi::CallbackInfo& info) {
    guarded(info.Env(), [&] {
      if (!loader_) return;
      auto bytes = loader_->remove_memory_file(to_value(info[0]).as_int("id"));
      // freed on another thread: it takes a while where they are many
      if (bytes) jobs(info.Env()).run([bytes = std::move(bytes)] {});
    });
  }

  void dispose(const Napi::CallbackInfo&) { loader_.reset(); }

 private:
  std::shared_ptr<video::Loader> loader_;
};

}  // namespace

Napi::Function define_batch(Napi::Env env) {
  return BatchObject::DefineClass(env, "NativeBatch",
                                  {BatchObject::InstanceMethod("views", &BatchObject::views),
                                   BatchObject::InstanceMethod("side", &BatchObject::side),
                                   BatchObject::InstanceMethod("toFloat32", &BatchObject::to_float32),
                                   BatchObject::InstanceMethod("toInt64", &BatchObject::to_int64),
                                   BatchObject::InstanceMethod("dispose", &BatchObject::dispose)});
}

Napi::Function define_loader(Napi::Env env) {
  return LoaderObject::DefineClass(
      env, "NativeLoader",
      {LoaderObject::InstanceMethod("load", &LoaderObject::load),
       LoaderObject::InstanceMethod("addMemoryClip", &LoaderObject::add_memory_clip),
       LoaderObject::InstanceMethod("removeMemoryClip", &LoaderObject::remove_memory_clip),
       LoaderObject::InstanceMethod("addMemoryFile", &LoaderObject::add_memory_file),
       LoaderObject::InstanceMethod("appendMemoryFile", &LoaderObject::append_memory_file),
       LoaderObject::InstanceMethod("indexMemoryFile", &LoaderObject::index_memory_file),
       LoaderObject::InstanceMethod("removeMemoryFile", &LoaderObject::remove_memory_file),
       LoaderObject::InstanceMethod("dispose", &LoaderObject::dispose)});
}

std::shared_ptr<video::Batch> to_batch(const Napi::Value& value) {
  const Napi::Env env = value.Env();
  if (!value.IsObject() ||
      !value.As<Napi::Object>().InstanceOf(env.GetInstanceData<AddonData>()->batch.Value()))
    throw_argument("expected a batch that a loader made");
  return BatchObject::Unwrap(value.As<Napi::Object>())->get();
}

Napi::Value from_batch(Napi::Env env, std::shared_ptr<video::Batch> batch) {
  const auto external = Napi::External<std::shared_ptr<video::Batch>>::New(env, &batch);
  return env.GetInstanceData<AddonData>()->batch.New({external});
}

Napi::Value create_loader(const Napi::CallbackInfo& info) {
  return info.Env().GetInstanceData<AddonData>()->loader.New({info[0]});
}

}  // namespace vssl::binding
