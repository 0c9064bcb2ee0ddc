// Registration of vssl_engine.node.
#include <utility>

#include "convert.h"
#include "engine_exit.h"
#include "engine_objects.h"
#include "pin.h"

namespace vssl::binding {

namespace {

Napi::Value info(const Napi::CallbackInfo& call) {
  const auto i = engine::info();
  const Value::Array devices(i.cuda_devices.begin(), i.cuda_devices.end());
  return from_value(call.Env(), Value::Object{{"torchVersion", i.torch_version},
                                              {"cudaBuilt", i.cuda_built},
                                              {"cudaAvailable", i.cuda_available},
                                              {"cudaReason", i.cuda_reason},
                                              {"cudaVersion", i.cuda_version},
                                              {"cudnnVersion", i.cudnn_version},
                                              {"cudaDevices", devices},
                                              {"cpuCapability", i.cpu_capability},
                                              {"bf16Fast", i.bf16_fast},
                                              {"threads", i.threads},
                                              {"libavVersion", video::libav_version()},
                                              {"flowVersion", video::flow_version()},
                                              {"flowFault", video::flow_fault()}});
}

Napi::Value architectures(const Napi::CallbackInfo& call) {
  Value::Array out;
  for (const auto& a : engine::architectures()) {
    Value::Object item;
    item["name"] = a.name;
    item["keys"] = Value::Array(a.keys.begin(), a.keys.end());
    item["leastClip"] = Value::Object{{"frames", a.least_clip.frames}, {"size", a.least_clip.size}};
    item["width"] = Value::Array{a.least_width, a.most_width};
    out.emplace_back(std::move(item));
  }
  return from_value(call.Env(), out);
}

Napi::Value methods(const Napi::CallbackInfo& call) {
  Value::Array out;
  for (const auto& m : engine::methods()) out.emplace_back(Value::Object{{"name", m.name}, {"file", m.file}});
  return from_value(call.Env(), out);
}

Napi::Value input_kinds(const Napi::CallbackInfo& call) {
  const auto kinds = video::input_kinds();
  return from_value(call.Env(), Value::Array(kinds.begin(), kinds.end()));
}

void set_threads(const Napi::CallbackInfo& call) {
  const int64_t threads = to_value(call[0]).as_int("threads");
  if (threads < 1 || threads > 1024) throw_argument("expected 1 to 1024 for threads");
  engine::set_threads(static_cast<int>(threads));
}

Napi::Value self_test(const Napi::CallbackInfo& call) {
  const std::string device = call[0].IsString() ? call[0].As<Napi::String>().Utf8Value() : "cpu";
  return run_async(
      call.Env(), jobs(call.Env()), [device] { return engine::self_test(device); },
      [](Napi::Env env, const std::string& fault) { return Napi::String::New(env, fault); });
}

Napi::Value index_video(const Napi::CallbackInfo& call) {
  const Value whole = to_value(call[1]);
  const bool reads_all = !whole.is_null() && whole.as_bool("whole");
  if (call[0].IsObject()) {
    return run_async(
        call.Env(), jobs(call.Env()),
        [source = to_value(call[0]), reads_all] { return video::index_member(source, reads_all); },
        from_index);
  }
  return run_async(
      call.Env(), jobs(call.Env()),
      [path = to_value(call[0]).as_string("path"), reads_all] { return video::index_file(path, reads_all); },
      from_index);
}

Napi::Value fit_linear(const Napi::CallbackInfo& call) {
  auto train = to_floats(call[0], "train");
  auto labels = to_ints(call[1], "labels");
  auto test = to_floats(call[2], "test");
  const int64_t dim = to_value(call[3]).as_int("dim"), classes = to_value(call[4]).as_int("classes");
  const auto rows = static_cast<int64_t>(labels.size());
  if (dim < 1 || rows < 1 || static_cast<int64_t>(train.size()) != rows * dim)
    throw_argument("expected one label for each row of dim floats of train");
  if (static_cast<int64_t>(test.size()) % dim != 0) throw_argument("expected rows of dim floats for test");
  for (const int32_t label : labels)
    if (label < 0 || label >= classes) throw_argument("expected labels from 0 to classes - 1");
  return run_async(
      call.Env(), jobs(call.Env()),
      [train = std::move(train), labels = std::move(labels), test = std::move(test), dim, classes, rows,
       options = to_value(call[5])] {
        return engine::fit_linear(train.data(), labels.data(), rows, test.data(),
                                  static_cast<int64_t>(test.size()) / dim, dim, classes, options);
      },
      [](Napi::Env env, const engine::LinearFit& fit) -> Napi::Value {
        auto out = Napi::Object::New(env);
        out.Set("scores", from_floats(env, fit.scores));
        out.Set("trainAccuracy", fit.train_accuracy);
        out.Set("loss", fit.loss);
        out.Set("iterations", static_cast<double>(fit.iterations));
        return out;
      });
}

Napi::Value write_video(const Napi::CallbackInfo& call) {
  auto frames = to_bytes(call[1], "frames");
  const Value shape_value = to_value(call[2]);
  const auto& shape = shape_value.as_array("shape");
  if (shape.size() != 3) throw_argument("expected [t, h, w] for shape");
  const int64_t t = shape[0].as_int("t"), h = shape[1].as_int("h"), w = shape[2].as_int("w");
  if (t < 1 || h < 1 || w < 1 || static_cast<double>(t) * h * w * 3 != static_cast<double>(frames.size()))
    throw_argument("expected t * h * w * 3 bytes for frames but received " + std::to_string(frames.size()));
  const Value o = to_value(call[3]);
  video::WriteOptions options;
  options.fps = o.get_number("fps", options.fps);
  options.codec = o.get_string("codec", options.codec);
  options.quality = o.get_int("quality", options.quality);
  options.gop = static_cast<int>(o.get_int("gop", options.gop));
  return run_async(call.Env(), jobs(call.Env()),
                   [path = to_value(call[0]).as_string("path"), frames = std::move(frames), t, h, w,
                    options] { video::write_video(path, frames.data(), t, h, w, options); });
}

Napi::Value from_bytes(Napi::Env env, const std::vector<uint8_t>& bytes) {
  auto out = Napi::Uint8Array::New(env, bytes.size());
  std::copy(bytes.begin(), bytes.end(), out.Data());
  return out;
}

Napi::Value encode_jpeg(const Napi::CallbackInfo& call) {
  auto rgb = to_bytes(call[0], "rgb");
  const int64_t h = to_value(call[1]).as_int("h"), w = to_value(call[2]).as_int("w");
  const int64_t quality = to_value(call[3]).as_int("quality");
  if (h < 1 || w < 1 || static_cast<double>(h) * w * 3 != static_cast<double>(rgb.size()))
    throw_argument("expected h * w * 3 bytes for rgb but received " + std::to_string(rgb.size()));
  return run_async(
      call.Env(), jobs(call.Env()),
      [rgb = std::move(rgb), h, w, quality] { return video::encode_jpeg(rgb.data(), h, w, quality); },
      from_bytes);
}

Napi::Value render_synthetic(const Napi::CallbackInfo& call) {
  const Value times_value = to_value(call[1]);
  std::vector<double> times;
  for (const auto& t : times_value.as_array("times")) times.push_back(t.as_number("times"));
  const int64_t h = to_value(call[2]).as_int("h"), w = to_value(call[3]).as_int("w");
  if (h < 1 || w < 1 || h > 4096 || w > 4096) throw_argument("expected 1 to 4096 pixels for h and w");
  return run_async(
      call.Env(), jobs(call.Env()),
      [spec = to_value(call[0]), times = std::move(times), h, w] {
        return video::render_synthetic(spec, times, h, w);
      },
      from_bytes);
}

void leaving(const Napi::CallbackInfo& call) {
  ending::begun = true;
  wait_for_none(ending::working);
  guard_exit(static_cast<int>(to_value(call[0]).as_int("code")));
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  stay_loaded();
  static const bool guarding = (guard_exit(kUnknownCode), true);  // however many threads load the addon
  (void)guarding;
  auto* data = new AddonData;
  // Hooks run latest first: this one after the dispatcher's, which drops the calls at work.
  env.AddCleanupHook([running = data->running] {
    wait_for_none(*running);
    guard_exit(kUnknownCode);
  });
  data->dispatcher = Dispatcher::create(env);
  env.SetInstanceData(data);
  define_loader(env);
  define_session(env);
  exports.Set("engineApiVersion", Napi::Number::New(env, 3));
  add_function<info>(exports, "info");
  add_function<architectures>(exports, "architectures");
  add_function<methods>(exports, "methods");
  add_function<input_kinds>(exports, "inputKinds");
  add_function<set_threads>(exports, "setThreads");
  add_function<leaving>(exports, "leaving");
  add_function<self_test>(exports, "selfTest");
  add_function<index_video>(exports, "indexVideo");
  add_function<create_loader>(exports, "createLoader");
  add_function<join_ranks>(exports, "joinRanks");
  add_function<create_session>(exports, "createSession");
  add_function<create_encoder>(exports, "createEncoder");
  add_function<fit_linear>(exports, "fitLinear");
  add_function<write_video>(exports, "writeVideo");
  add_function<encode_jpeg>(exports, "encodeJpeg");
  add_function<render_synthetic>(exports, "renderSynthetic");
  return exports;
}

}  // namespace

Executor& jobs(Napi::Env env) {
  auto& executor = env.GetInstanceData<AddonData>()->jobs;
  if (!executor) executor = shared_off_loop<Executor>(2);
  return *executor;
}

NODE_API_MODULE(vssl_engine, init)

}  // namespace vssl::binding
