// NativeSession and NativeEncoder. Each has one thread of its own: libtorch keeps a team of helper threads
// for each thread that calls it, and a call may take seconds, too long for the event loop or its shared pool.
#include <optional>
#include <utility>

#include "convert.h"
#include "engine_objects.h"

namespace vssl::binding {

namespace {

// The native object with the thread that alone uses it.
template <typename T>
struct Threaded {
  Executor thread{1};
  std::optional<T> object;
};

template <typename Self, typename T>
class ThreadedObject : public Object<Self, Threaded<T>> {
  using Base = Object<Self, Threaded<T>>;

 public:
  using Base::Base;

  // Promise of a new object: weights are drawn on its own thread, not on the event loop.
  static Napi::Value create(const Napi::CallbackInfo& info) {
    const auto held = shared_off_loop<Threaded<T>>();
    return run_async(
        info.Env(), held->thread,
        [held, spec = to_value(info[0])] {
          held->object.emplace(spec);
          return held;
        },
        [](Napi::Env env, const typename Base::Held& made) { return Base::make(env, made); });
  }

  Napi::Value stats(const Napi::CallbackInfo& info) { return from_stats(info.Env(), native().stats()); }

 protected:
  T& native() const { return *this->get()->object; }

  // Promise of work(native object) on its thread.
  template <typename Work, typename Finish = Undefined>
  Napi::Value run(const Napi::CallbackInfo& info, Work work, Finish finish = {}) const {
    return run_async(
        info.Env(), this->get()->thread,
        [held = this->get(), work = std::move(work)] { return work(*held->object); }, std::move(finish));
  }
};

class SessionObject : public ThreadedObject<SessionObject, engine::Session> {
  using Native = engine::Session;

 public:
  static constexpr const char* kName = "NativeSession";
  using ThreadedObject::ThreadedObject;

  static void define(Napi::Env env) {
    using S = SessionObject;
    define_class(
        env, {method<&S::step>("step"), method<&S::prepare>("prepare"),
              method<&S::export_state>("exportState"), method<&S::import_state>("importState"),
              method<&S::encoder_names>("encoderNames"), method<&S::export_encoder>("exportEncoder"),
              method<&S::load_weights>("loadWeights"), method<&S::encoder_spec>("encoderSpec"),
              method<&S::embed>("embed"), method<&S::share_state>("shareState"), method<&S::stats>("stats")});
  }

 private:
  Napi::Value prepare(const Napi::CallbackInfo& info) {
    // Not on the session's thread, where a step may be under way.
    return run_async(
        info.Env(), jobs(info.Env()),
        [held = get(), batch = to_batch(info[0])] { held->object->prepare(*batch); }, Undefined{});
  }
  Napi::Value step(const Napi::CallbackInfo& info) {
    return run(
        info,
        [batch = to_batch(info[0]), hyper = to_value(info[1])](Native& s) { return s.step(*batch, hyper); },
        from_step);
  }
  Napi::Value export_state(const Napi::CallbackInfo& info) {
    return run(
        info, [](Native& s) { return s.export_state(); }, from_tensors);
  }
  Napi::Value import_state(const Napi::CallbackInfo& info) {
    return run(info, [state = to_tensors(info[0])](Native& s) { s.import_state(state); });
  }
  Napi::Value share_state(const Napi::CallbackInfo& info) {
    return run(info, [](Native& s) { s.share_state(); });
  }
  Napi::Value encoder_names(const Napi::CallbackInfo& info) {
    const auto names = native().encoder_names();
    return from_value(info.Env(), vssl::Value::Array(names.begin(), names.end()));
  }
  Napi::Value export_encoder(const Napi::CallbackInfo& info) {
    return run(
        info, [name = to_value(info[0]).as_string("encoder")](Native& s) { return s.export_encoder(name); },
        from_tensors);
  }
  Napi::Value load_weights(const Napi::CallbackInfo& info) {
    return run(info, [encoder = to_value(info[0]).as_string("encoder"),
                      weights = to_tensors(info[1])](Native& s) { s.load_weights(encoder, weights); });
  }
  Napi::Value encoder_spec(const Napi::CallbackInfo& info) {
    return from_value(info.Env(), native().encoder_spec(to_value(info[0]).as_string("encoder")));
  }
  Napi::Value embed(const Napi::CallbackInfo& info) {
    return run(
        info,
        [batch = to_batch(info[0]), view = to_value(info[1]).as_string("view"),
         encoder = to_value(info[2]).as_string("encoder")](Native& s) {
          return s.embed(*batch, view, encoder);
        },
        from_floats);
  }
};

class RanksObject : public ThreadedObject<RanksObject, engine::Ranks> {
  using Native = engine::Ranks;

 public:
  static constexpr const char* kName = "NativeRanks";
  using ThreadedObject::ThreadedObject;

  static void define(Napi::Env env) {
    using R = RanksObject;
    define_class(env, {method<&R::exchange>("exchange"), method<&R::leave>("leave")});
  }

 private:
  Napi::Value exchange(const Napi::CallbackInfo& info) {
    return run(
        info, [text = to_value(info[0]).as_string("text")](Native& r) { return r.exchange(text); },
        [](Napi::Env env, const std::vector<std::string>& texts) {
          return from_value(env, vssl::Value::Array(texts.begin(), texts.end()));
        });
  }
  Napi::Value leave(const Napi::CallbackInfo& info) {
    return run(info, [reason = to_value(info[0]).as_string("reason")](Native& r) { r.leave(reason); });
  }
};

// Clips (N, 3, T, H, W) and their shape, as two arguments.
auto to_clips(const Napi::CallbackInfo& info) {
  auto clips = to_floats(info[0], "clips");
  const vssl::Value shape_value = to_value(info[1]);
  const auto& shape = shape_value.as_array("shape");
  if (shape.size() != 5 || shape[1].as_int("shape[1]") != 3)
    throw_argument("expected [N, 3, T, H, W] for shape");
  std::vector<int64_t> sizes;
  double count = 1;
  for (const auto& d : shape) {
    sizes.push_back(d.as_int("shape"));
    if (sizes.back() < 1) throw_argument("expected positive sizes for shape");
    count *= static_cast<double>(sizes.back());
  }
  if (count != static_cast<double>(clips.size()))
    throw_argument("expected as many floats for clips as shape says, but received " +
                   std::to_string(clips.size()));
  return std::make_pair(std::move(clips), std::move(sizes));
}

class EncoderObject : public ThreadedObject<EncoderObject, engine::Encoder> {
  using Native = engine::Encoder;

 public:
  static constexpr const char* kName = "NativeEncoder";
  using ThreadedObject::ThreadedObject;

  static void define(Napi::Env env) {
    using E = EncoderObject;
    define_class(env, {InstanceAccessor("dim", &E::call<&E::dim>, nullptr), method<&E::weights>("weights"),
                       method<&E::load_weights>("loadWeights"), method<&E::calibrate_begin>("calibrateBegin"),
                       method<&E::calibrate>("calibrate"), method<&E::calibrate_end>("calibrateEnd"),
                       method<&E::embed>("embed"), method<&E::time_convolutions>("timeConvolutions"),
                       method<&E::forward>("forward"), method<&E::stats>("stats")});
  }

 private:
  Napi::Value dim(const Napi::CallbackInfo& info) { return from_value(info.Env(), native().dim()); }
  Napi::Value weights(const Napi::CallbackInfo& info) {
    return run(
        info, [](Native& e) { return e.weights(); }, from_tensors);
  }
  Napi::Value load_weights(const Napi::CallbackInfo& info) {
    return run(info, [weights = to_tensors(info[0])](Native& e) { e.load_weights(weights); });
  }
  Napi::Value calibrate_begin(const Napi::CallbackInfo& info) {
    return run(info, [](Native& e) { e.calibrate_begin(); });
  }
  Napi::Value calibrate(const Napi::CallbackInfo& info) {
    return run(info, [batch = to_batch(info[0]), view = to_value(info[1]).as_string("view")](Native& e) {
      e.calibrate(*batch, view);
    });
  }
  Napi::Value calibrate_end(const Napi::CallbackInfo& info) {
    return run(info, [](Native& e) { e.calibrate_end(); });
  }
  // (batch, view, grid or undefined)
  Napi::Value embed(const Napi::CallbackInfo& info) {
    std::array<int64_t, 3> grid{1, 1, 1};
    const vssl::Value cut = to_value(info[2]);
    if (!cut.is_null()) {
      const auto& cells = cut.as_array("grid");
      if (cells.size() != grid.size()) throw_argument("expected a grid of 3 numbers: time, height, width");
      for (size_t i = 0; i < grid.size(); ++i) grid[i] = cells[i].as_int("grid");
    }
    return run(
        info,
        [batch = to_batch(info[0]), view = to_value(info[1]).as_string("view"), grid](Native& e) {
          return e.embed(*batch, view, grid);
        },
        from_floats);
  }
  Napi::Value time_convolutions(const Napi::CallbackInfo& info) {
    return run(
        info,
        [batch = to_batch(info[0]), view = to_value(info[1]).as_string("view")](Native& e) {
          return e.time_convolutions(*batch, view);
        },
        from_convolutions);
  }
  Napi::Value forward(const Napi::CallbackInfo& info) {
    return run(
        info,
        [clips = to_clips(info)](Native& e) {
          const auto& [values, shape] = clips;
          return e.forward(values.data(), shape[0], shape[2], shape[3], shape[4]);
        },
        from_floats);
  }
};

}  // namespace

void define_session(Napi::Env env) {
  SessionObject::define(env);
  EncoderObject::define(env);
  RanksObject::define(env);
}

Napi::Value join_ranks(const Napi::CallbackInfo& info) { return RanksObject::create(info); }
Napi::Value create_session(const Napi::CallbackInfo& info) { return SessionObject::create(info); }
Napi::Value create_encoder(const Napi::CallbackInfo& info) { return EncoderObject::create(info); }

}  // namespace vssl::binding
