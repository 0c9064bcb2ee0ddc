// NativeVideoWriter, and files that are written at once.
#include <utility>

#include "../video/writer.h"
#include "convert.h"
#include "engine_objects.h"

namespace vssl::binding {

namespace {

video::WriteOptions to_write_options(const Napi::Value& value) {
  const Value given = to_value(value);
  video::WriteOptions options;
  options.fps = given.get_number("fps", options.fps);
  options.codec = given.get_string("codec", options.codec);
  options.quality = given.get_int("quality", options.quality);
  options.gop = static_cast<int>(given.get_int("gop", options.gop));
  return options;
}

Napi::Value from_parts(Napi::Env env, const std::vector<video::FilePart>& parts) {
  auto out = Napi::Array::New(env, parts.size());
  for (uint32_t i = 0; i < parts.size(); ++i) {
    auto part = Napi::Object::New(env);
    part.Set("at", static_cast<double>(parts[i].at));
    part.Set("bytes", from_bytes(env, parts[i].bytes));
    out.Set(i, part);
  }
  return out;
}

// A writer with a thread of its own: of many files, each is encoded beside the others, and its calls in their
// order.
struct Writer {
  Writer(int64_t h, int64_t w, const video::WriteOptions& options) : file(h, w, options) {}
  video::VideoWriter file;
  Executor thread{1};
};

class WriterObject : public Object<WriterObject, Writer> {
 public:
  static constexpr const char* kName = "NativeVideoWriter";
  using Object::Object;

  static void define(Napi::Env env) {
    define_class(env, {method<&WriterObject::add>("add"), method<&WriterObject::finish>("finish")});
  }

 private:
  Napi::Value add(const Napi::CallbackInfo& info) {
    return run_async(
        info.Env(), get()->thread,
        [writer = get(), frames = to_bytes(info[0], "frames")] {
          return writer->file.add(frames.data(), static_cast<int64_t>(frames.size()));
        },
        from_parts);
  }

  Napi::Value finish(const Napi::CallbackInfo& info) {
    return run_async(
        info.Env(), get()->thread, [writer = get()] { return writer->file.finish(); }, from_parts);
  }
};

}  // namespace

void define_writer(Napi::Env env) { WriterObject::define(env); }

Napi::Value create_video_writer(const Napi::CallbackInfo& info) {
  const int64_t h = to_value(info[0]).as_int("h"), w = to_value(info[1]).as_int("w");
  return WriterObject::make(info.Env(), shared_off_loop<Writer>(h, w, to_write_options(info[2])));
}

Napi::Value write_video(const Napi::CallbackInfo& info) {
  auto frames = to_bytes(info[1], "frames");
  const Value shape_value = to_value(info[2]);
  const auto& shape = shape_value.as_array("shape");
  if (shape.size() != 3) throw_argument("expected [t, h, w] for shape");
  const int64_t t = shape[0].as_int("t"), h = shape[1].as_int("h"), w = shape[2].as_int("w");
  if (t < 1 || h < 1 || w < 1 || static_cast<double>(t) * h * w * 3 != static_cast<double>(frames.size()))
    throw_argument("expected t * h * w * 3 bytes for frames but received " + std::to_string(frames.size()));
  return run_async(
      info.Env(), jobs(info.Env()),
      [path = to_value(info[0]).as_string("path"), frames = std::move(frames), t, h, w,
       options = to_write_options(info[3])] { video::write_video(path, frames.data(), t, h, w, options); });
}

Napi::Value encode_jpeg(const Napi::CallbackInfo& info) {
  auto rgb = to_bytes(info[0], "rgb");
  const int64_t h = to_value(info[1]).as_int("h"), w = to_value(info[2]).as_int("w");
  const int64_t quality = to_value(info[3]).as_int("quality");
  if (h < 1 || w < 1 || static_cast<double>(h) * w * 3 != static_cast<double>(rgb.size()))
    throw_argument("expected h * w * 3 bytes for rgb but received " + std::to_string(rgb.size()));
  return run_async(
      info.Env(), jobs(info.Env()),
      [rgb = std::move(rgb), h, w, quality] { return video::encode_jpeg(rgb.data(), h, w, quality); },
      from_bytes);
}

}  // namespace vssl::binding
