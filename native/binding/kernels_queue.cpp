#include "kernels_queue.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../common/error.h"
#include "../kernels/queue.h"
#include "kernels_arguments.h"
#include "object.h"

namespace vssl::binding {
namespace {

// The index of `value` among two names.
bool is_second(const Napi::Value& value, const char* name, const char* first, const char* second) {
  const std::string found = value.IsString() ? value.As<Napi::String>().Utf8Value() : "";
  if (found != first && found != second) {
    reject(name, (std::string("'") + first + "' or '" + second + "'").c_str());
  }
  return found == second;
}

MomentumQueueOptions options_of(const Napi::CallbackInfo& info) {
  expect_arguments(info, 8);
  MomentumQueueOptions options;
  options.capacity = integer(info[0], "capacity", static_cast<double>(kMostQueueKeys));
  options.dim = integer(info[1], "dim");
  options.decay = number(info[2], "decay");
  options.decay_on = is_second(info[3], "decayOn", "logit", "weight") ? DecayOn::kWeight : DecayOn::kLogit;
  options.age_unit = is_second(info[4], "ageUnit", "enqueue", "key") ? AgeUnit::kKey : AgeUnit::kEnqueue;
  options.init = is_second(info[5], "init", "random", "empty") ? QueueInit::kEmpty : QueueInit::kRandom;
  options.seed = static_cast<uint64_t>(integer(info[6], "seed"));
  options.ids = boolean(info[7], "ids");
  return options;
}

using Floats = std::vector<float>;

Floats copy_of(const Napi::Float32Array& array) {
  return Floats(array.Data(), array.Data() + array.ElementLength());
}

using Ids = std::vector<int64_t>;

// Whole numbers in a Float64Array, one a row; nothing of null.
Ids ids_of(const Napi::Value& value, int64_t rows) {
  if (value.IsNull()) return {};
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_float64_array ||
      static_cast<int64_t>(value.As<Napi::TypedArray>().ElementLength()) != rows)
    reject("ids", "a Float64Array, one a row");
  const double* numbers = value.As<Napi::Float64Array>().Data();
  return Ids(numbers, numbers + rows);
}

const int64_t* or_null(const Ids& ids) { return ids.empty() ? nullptr : ids.data(); }

class QueueObject : public Object<QueueObject, MomentumQueue> {
 public:
  static constexpr const char* kName = "MomentumQueue";

  explicit QueueObject(const Napi::CallbackInfo& info)
      : Object(info, guarded(info.Env(), [&] { return std::make_shared<MomentumQueue>(options_of(info)); })) {
  }

  static Napi::Function define(Napi::Env env) {
    using Q = QueueObject;
    return define_class(env, {method<&Q::enqueue>("enqueue"), method<&Q::enqueue_async>("enqueueAsync"),
                              method<&Q::info_nce>("infoNce"), method<&Q::info_nce_async>("infoNceAsync"),
                              method<&Q::length>("length"), method<&Q::next>("next"),
                              method<&Q::copy_keys>("copyKeys"), method<&Q::copy_ages>("copyAges"),
                              method<&Q::copy_ids>("copyIds"), method<&Q::restore>("restore")});
  }

  static int64_t bytes_of(const MomentumQueue& queue) { return queue.bytes(); }

 private:
  void enqueue(const Napi::CallbackInfo& info) {
    const int64_t rows = rows_of(info, 3, 1);
    const Ids ids = ids_of(info[2], rows);
    get()->enqueue(matrix(info[0], "keys", rows).Data(), rows, or_null(ids));
  }

  Napi::Value enqueue_async(const Napi::CallbackInfo& info) {
    const int64_t rows = rows_of(info, 3, 1);
    auto work = [queue = get(), keys = copy_of(matrix(info[0], "keys", rows)), ids = ids_of(info[2], rows),
                 rows] { queue->enqueue(keys.data(), rows, or_null(ids)); };
    auto finish = [this, self = hold(info)](Napi::Env env, std::monostate) {
      report(env);
      return env.Undefined();
    };
    return run_async(info.Env(), jobs(info.Env()), std::move(work), std::move(finish));
  }

  Napi::Value info_nce(const Napi::CallbackInfo& info) {
    const Loss loss = parse(info);
    float* gradient = loss.wants_gradient ? matrix(info[2], "gradient", loss.rows).Data() : nullptr;
    const float* queries = matrix(info[0], "queries", loss.rows).Data();
    const float* keys = matrix(info[1], "keys", loss.rows).Data();
    return Napi::Number::New(info.Env(),
                             get()->info_nce(gradient, queries, keys, loss.rows, loss.with_ids()));
  }

  Napi::Value info_nce_async(const Napi::CallbackInfo& info) {
    const Loss loss = parse(info);
    auto queries = std::make_shared<Floats>(copy_of(matrix(info[0], "queries", loss.rows)));
    auto keys = std::make_shared<Floats>(copy_of(matrix(info[1], "keys", loss.rows)));
    auto target = std::make_unique<Napi::ObjectReference>();
    if (loss.wants_gradient) {
      *target = Napi::Persistent(matrix(info[2], "gradient", loss.rows).As<Napi::Object>());
    }
    const auto work = [loss, queries, keys, now = get()->snapshot()] {
      // In place: a row's query has been read when its gradient is written.
      float* gradient = loss.wants_gradient ? queries->data() : nullptr;
      return vssl::info_nce(gradient, queries->data(), keys->data(), loss.rows, now, loss.with_ids());
    };
    auto finish = [this, self = hold(info), loss, queries, target = std::move(target)](
                      Napi::Env env, double result) -> Napi::Value {
      report(env);
      if (loss.wants_gradient) {  // fails when the caller gave the gradient away meanwhile
        const auto size = static_cast<int64_t>(queries->size());
        std::memcpy(float_array(target->Value(), "gradient", size).Data(), queries->data(),
                    queries->size() * sizeof(float));
      }
      return Napi::Number::New(env, result);
    };
    return run_async(info.Env(), jobs(info.Env()), work, std::move(finish));
  }

  Napi::Value length(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), static_cast<double>(get()->length()));
  }

  Napi::Value next(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), static_cast<double>(get()->snapshot().next));
  }

  void copy_keys(const Napi::CallbackInfo& info) {
    expect_arguments(info, 1);
    const QueueSnapshot now = get()->snapshot();
    vssl::copy_keys(float_array(info[0], "keys", now.length * now.options.dim).Data(), now);
  }

  void copy_ages(const Napi::CallbackInfo& info) {
    expect_arguments(info, 1);
    const QueueSnapshot now = get()->snapshot();
    vssl::copy_ages(float_array(info[0], "ages", now.length).Data(), now);
  }

  void copy_ids(const Napi::CallbackInfo& info) {
    expect_arguments(info, 1);
    const QueueSnapshot now = get()->snapshot();
    Ids ids(now.length);
    vssl::copy_ids(ids.data(), now);
    if (!info[0].IsTypedArray() || info[0].As<Napi::TypedArray>().TypedArrayType() != napi_float64_array ||
        static_cast<int64_t>(info[0].As<Napi::TypedArray>().ElementLength()) != now.length)
      reject("ids", "a Float64Array, one a key");
    std::copy(ids.begin(), ids.end(), info[0].As<Napi::Float64Array>().Data());
  }

  void restore(const Napi::CallbackInfo& info) {
    expect_arguments(info, 5);
    const int64_t length = integer(info[2], "length", static_cast<double>(kMostQueueKeys));
    const int64_t next = integer(info[3], "next", static_cast<double>(kMostQueueKeys));
    const float* keys = float_array(info[0], "keys", length * get()->options().dim).Data();
    const Ids ids = ids_of(info[4], length);
    get()->restore(keys, float_array(info[1], "ages", length).Data(), length, next, or_null(ids));
  }

  struct Loss {
    int64_t rows = 0;
    bool wants_gradient = false;
    InfoNceOptions options;
    Ids ids;
    InfoNceOptions with_ids() const {
      InfoNceOptions result = options;
      result.ids = or_null(ids);
      return result;
    }
  };

  // Keeps this object until it is gone.
  static Napi::ObjectReference hold(const Napi::CallbackInfo& info) {
    return Napi::Persistent(info.This().As<Napi::Object>());
  }

  int64_t rows_of(const Napi::CallbackInfo& info, std::size_t count, std::size_t index) const {
    expect_arguments(info, count);
    const int64_t rows = integer(info[index], "rows");
    matrix_size(rows, get()->options().dim);
    return rows;
  }

  Napi::Float32Array matrix(const Napi::Value& value, const char* name, int64_t rows) const {
    return float_array(value, name, rows * get()->options().dim);
  }

  Loss parse(const Napi::CallbackInfo& info) const {
    Loss loss;
    loss.rows = rows_of(info, 9, 3);
    loss.wants_gradient = !info[2].IsNull();
    loss.options.temperature = number(info[4], "temperature");
    loss.options.normalize = boolean(info[5], "normalize");
    loss.options.precision = precision(info[6]);
    loss.options.threads = thread_count(info[7]);
    loss.ids = ids_of(info[8], loss.rows);
    return loss;
  }
};

}  // namespace

Napi::Function define_momentum_queue(Napi::Env env) { return QueueObject::define(env); }

}  // namespace vssl::binding
