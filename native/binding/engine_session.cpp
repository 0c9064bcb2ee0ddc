// NativeSession and NativeEncoder. Each has one thread of its own: libtorch keeps a team of helper threads
// for each thread that calls it, and a call may take seconds, too long for the event loop or its shared pool.
#include <utility>

#include "convert.h"
#include "engine_objects.h"

namespace vssl::binding {

namespace {

// The native object with the thread that alone uses it.
template <typename T>
struct Owned {
  std::shared_ptr<T> object;
  std::shared_ptr<Executor> thread;
};

Napi::Value undefined(Napi::Env env, bool) { return env.Undefined(); }

class SessionObject : public Napi::ObjectWrap<SessionObject> {
 public:
  using Native = engine::Session;
  explicit SessionObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<SessionObject>(info) {
    if (info.Length() != 1 || !info[0].IsExternal())
      throw Napi::TypeError::New(info.Env(), "sessions are made by createSession");
    owned_ = *info[0].As<Napi::External<Owned<Native>>>().Data();
  }

  Napi::Value step(const Napi::CallbackInfo& info) {
    return call(
        info,
        [&] {
          return [batch = to_batch(info[0]), hyper = to_value(info[1])](Native& s) {
            return s.step(*batch, hyper);
          };
        },
        from_step);
  }
  Napi::Value export_state(const Napi::CallbackInfo& info) {
    return call(
        info, [] { return [](Native& s) { return s.export_state(); }; }, from_tensors);
  }
  Napi::Value import_state(const Napi::CallbackInfo& info) {
    return call(
        info,
        [&] {
          return [state = to_tensors(info[0])](Native& s) {
            s.import_state(state);
            return true;
          };
        },
        undefined);
  }
  Napi::Value encoder_names(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      const auto names = native().encoder_names();
      auto out = Napi::Array::New(info.Env(), names.size());
      for (uint32_t i = 0; i < names.size(); ++i) out.Set(i, names[i]);
      return out;
    });
  }
  Napi::Value export_encoder(const Napi::CallbackInfo& info) {
    return call(
        info,
        [&] {
          return
              [name = to_value(info[0]).as_string("encoder")](Native& s) { return s.export_encoder(name); };
        },
        from_tensors);
  }
  Napi::Value encoder_spec(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] {
      return from_value(info.Env(), native().encoder_spec(to_value(info[0]).as_string("encoder")));
    });
  }
  Napi::Value embed(const Napi::CallbackInfo& info) {
    return call(
        info,
        [&] {
          return [batch = to_batch(info[0]), view = to_value(info[1]).as_string("view"),
                  encoder = to_value(info[2]).as_string("encoder")](Native& s) {
            return s.embed(*batch, view, encoder);
          };
        },
        from_floats);
  }
  Napi::Value stats(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] { return from_stats(info.Env(), native().stats()); });
  }
  void dispose(const Napi::CallbackInfo&) { owned_ = {}; }

 private:
  Native& native() const {
    if (!owned_.object) throw_disposed("session");
    return *owned_.object;
  }
  // make() reads the arguments and returns the work; both errors of reading and of working reach the caller.
  template <typename Make, typename Convert>
  Napi::Value call(const Napi::CallbackInfo& info, Make make, Convert convert) {
    return guarded(info.Env(), [&] {
      native();
      auto work = make();
      return run_async(
          info.Env(), *owned_.thread, [owned = owned_, work] { return work(*owned.object); }, convert);
    });
  }
  Owned<Native> owned_;
};

class EncoderObject : public Napi::ObjectWrap<EncoderObject> {
 public:
  using Native = engine::Encoder;
  explicit EncoderObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<EncoderObject>(info) {
    if (info.Length() != 1 || !info[0].IsExternal())
      throw Napi::TypeError::New(info.Env(), "encoders are made by createEncoder");
    owned_ = *info[0].As<Napi::External<Owned<Native>>>().Data();
  }

  Napi::Value dim(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      return Napi::Number::New(info.Env(), static_cast<double>(native().dim()));
    });
  }
  Napi::Value weights(const Napi::CallbackInfo& info) {
    return call(
        info, [] { return [](Native& e) { return e.weights(); }; }, from_tensors);
  }
  Napi::Value load_weights(const Napi::CallbackInfo& info) {
    return call(
        info,
        [&] {
          return [weights = to_tensors(info[0])](Native& e) {
            e.load_weights(weights);
            return true;
          };
        },
        undefined);
  }
  Napi::Value calibrate_begin(const Napi::CallbackInfo& info) {
    return call(
        info,
        [] {
          return [](Native& e) {
            e.calibrate_begin();
            return true;
          };
        },
        undefined);
  }
  Napi::Value calibrate(const Napi::CallbackInfo& info) {
    return call(
        info,
        [&] {
          return [batch = to_batch(info[0]), view = to_value(info[1]).as_string("view")](Native& e) {
            e.calibrate(*batch, view);
            return true;
          };
        },
        undefined);
  }
  Napi::Value calibrate_end(const Napi::CallbackInfo& info) {
    return call(
        info,
        [] {
          return [](Native& e) {
            e.calibrate_end();
            return true;
          };
        },
        undefined);
  }
  Napi::Value embed(const Napi::CallbackInfo& info) {
    return call(
        info,
        [&] {
          return [batch = to_batch(info[0]), view = to_value(info[1]).as_string("view")](Native& e) {
            return e.embed(*batch, view);
          };
        },
        from_floats);
  }
  Napi::Value forward(const Napi::CallbackInfo& info) {
    return call(
        info,
        [&] {
          auto clips = to_floats(info[0], "clips");
          const vssl::Value shape_value = to_value(info[1]);
          const auto& shape = shape_value.as_array("shape");
          if (shape.size() != 5 || shape[1].as_int("shape[1]") != 3)
            throw_argument("expected [N, 3, T, H, W] for shape");
          double count = 1;
          for (const auto& d : shape) {
            if (d.as_int("shape") < 1) throw_argument("expected positive sizes for shape");
            count *= d.as_number("shape");
          }
          if (count != static_cast<double>(clips.size()))
            throw_argument("expected as many floats for clips as shape says, but received " +
                           std::to_string(clips.size()));
          return [clips = std::make_shared<std::vector<float>>(std::move(clips)), n = shape[0].as_int("N"),
                  t = shape[2].as_int("T"), h = shape[3].as_int("H"),
                  w = shape[4].as_int("W")](Native& e) { return e.forward(clips->data(), n, t, h, w); };
        },
        from_floats);
  }
  Napi::Value stats(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] { return from_stats(info.Env(), native().stats()); });
  }
  void dispose(const Napi::CallbackInfo&) { owned_ = {}; }

 private:
  Native& native() const {
    if (!owned_.object) throw_disposed("encoder");
    return *owned_.object;
  }
  template <typename Make, typename Convert>
  Napi::Value call(const Napi::CallbackInfo& info, Make make, Convert convert) {
    return guarded(info.Env(), [&] {
      native();
      auto work = make();
      return run_async(
          info.Env(), *owned_.thread, [owned = owned_, work] { return work(*owned.object); }, convert);
    });
  }
  Owned<Native> owned_;
};

// Promise of a new object: weights are drawn on its own thread, not on the event loop.
template <typename Native>
Napi::Value create(const Napi::CallbackInfo& info, Napi::FunctionReference AddonData::*constructor) {
  const Napi::Env env = info.Env();
  return guarded(env, [&] {
    const auto thread = shared_off_loop<Executor>(1);
    Executor& executor = *thread;
    return run_async(
        env, executor,
        [spec = to_value(info[0]), thread] {
          return Owned<Native>{shared_off_loop<Native>(spec), thread};
        },
        [constructor](Napi::Env js, Owned<Native>& owned) -> Napi::Value {
          const auto external = Napi::External<Owned<Native>>::New(js, &owned);
          return (js.GetInstanceData<AddonData>()->*constructor).New({external});
        });
  });
}

}  // namespace

Napi::Function define_session(Napi::Env env) {
  using S = SessionObject;
  return S::DefineClass(
      env, "NativeSession",
      {S::InstanceMethod("step", &S::step), S::InstanceMethod("exportState", &S::export_state),
       S::InstanceMethod("importState", &S::import_state),
       S::InstanceMethod("encoderNames", &S::encoder_names),
       S::InstanceMethod("exportEncoder", &S::export_encoder),
       S::InstanceMethod("encoderSpec", &S::encoder_spec), S::InstanceMethod("embed", &S::embed),
       S::InstanceMethod("stats", &S::stats), S::InstanceMethod("dispose", &S::dispose)});
}

Napi::Function define_encoder(Napi::Env env) {
  using E = EncoderObject;
  return E::DefineClass(
      env, "NativeEncoder",
      {E::InstanceAccessor<&E::dim>("dim"), E::InstanceMethod("weights", &E::weights),
       E::InstanceMethod("loadWeights", &E::load_weights),
       E::InstanceMethod("calibrateBegin", &E::calibrate_begin),
       E::InstanceMethod("calibrate", &E::calibrate), E::InstanceMethod("calibrateEnd", &E::calibrate_end),
       E::InstanceMethod("embed", &E::embed), E::InstanceMethod("forward", &E::forward),
       E::InstanceMethod("stats", &E::stats), E::InstanceMethod("dispose", &E::dispose)});
}

Napi::Value create_session(const Napi::CallbackInfo& info) {
  return create<engine::Session>(info, &AddonData::session);
}

Napi::Value create_encoder(const Napi::CallbackInfo& info) {
  return create<engine::Encoder>(info, &AddonData::encoder);
}

}  // namespace vssl::binding
