#include "kernels_topk.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../common/ending.h"
#include "../kernels/kernels.h"
#include "async.h"
#include "kernels_arguments.h"

namespace vssl::binding {
namespace {

struct TypeName {
  const char* name;
  RowType type;
  napi_typedarray_type array;
};
constexpr TypeName kTypes[] = {{"fp32", RowType::kFp32, napi_float32_array},
                               {"fp16", RowType::kFp16, napi_uint16_array},
                               {"bf16", RowType::kBf16, napi_uint16_array},
                               {"int8", RowType::kInt8, napi_int8_array}};

const TypeName& type_named(const Napi::Value& value) {
  const std::string name = value.IsString() ? value.As<Napi::String>().Utf8Value() : "";
  for (const TypeName& known : kTypes)
    if (name == known.name) return known;
  reject("type", "'fp32', 'fp16', 'bf16' or 'int8'");
}

Napi::Int32Array int_array(const Napi::Value& value, const char* name, int64_t length) {
  const Span found = span(value, name);
  if (found.type != napi_int32_array || found.is_shared) reject(name, "an Int32Array that is not shared");
  if (found.length != length) reject(name, "an array of the right length");
  return value.As<Napi::Int32Array>();
}

struct Call {
  Napi::Float32Array queries;
  Span row_span, scale_span;
  DotRows rows;
  int64_t query_count, k, given;  // of all queries together
  int threads;

  explicit Call(const Napi::CallbackInfo& info) {
    expect_arguments(info, 9);
    const TypeName& type = type_named(info[5]);
    row_span = span(info[1], "rows");
    if (row_span.type != type.array) reject("rows", "an array of its type");
    const int64_t dim = integer(info[6], "dim");
    const int64_t length = span(info[0], "queries").length;
    queries = float_array(info[0], "queries", length);
    if (dim < 1 || row_span.length % dim != 0 || length % dim != 0) reject("dim", "a divisor of the lengths");
    rows = {row_span.data, type.type, row_span.length / dim, dim, nullptr};
    scale_span = {};
    if (!info[2].IsNull()) {
      scale_span = span(info[2], "scales");
      if (scale_span.type != napi_float32_array || scale_span.length != rows.count)
        reject("scales", "a Float32Array with a value for each row");
      rows.scales = static_cast<const float*>(scale_span.data);
    }
    query_count = length / dim;
    k = integer(info[7], "k");
    threads = thread_count(info[8]);
    given = query_count * std::min(k, rows.count);
  }
};

// Memory of JavaScript's that a job reads: the end of the environment waits for it from here on.
class Borrowed {
 public:
  explicit Borrowed(std::shared_ptr<std::atomic<int>> count) : count_(std::move(count)) { ++*count_; }
  ~Borrowed() { --*count_; }
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;

 private:
  std::shared_ptr<std::atomic<int>> count_;
};

using Bytes = std::unique_ptr<unsigned char[]>;

// Of what is not shared; null of the rest.
Bytes copy_of(const Span& from) {
  if (from.is_shared || from.data == nullptr || from.bytes == 0) return nullptr;
  Bytes copy(new unsigned char[static_cast<std::size_t>(from.bytes)]);
  std::memcpy(copy.get(), from.data, static_cast<std::size_t>(from.bytes));
  return copy;
}

struct Found {
  std::vector<int32_t> indices;
  std::vector<float> scores;
};

}  // namespace

Napi::Value topk_dot_sync(const Napi::CallbackInfo& info) {
  const Call call(info);
  int32_t* indices = int_array(info[3], "indices", call.given).Data();
  float* scores = float_array(info[4], "scores", call.given).Data();
  topk_dot(indices, scores, call.queries.Data(), call.query_count, call.rows, call.k, call.threads);
  return info.Env().Undefined();
}

Napi::Value topk_dot_async(const Napi::CallbackInfo& info) {
  const Call call(info);
  int_array(info[3], "indices", call.given);
  float_array(info[4], "scores", call.given);
  // What is shared is held, and what is written.
  auto held = std::make_unique<std::vector<Napi::ObjectReference>>();
  for (std::size_t i : {1, 2, 3, 4})
    held->push_back(info[i].IsNull() ? Napi::ObjectReference()
                                     : Napi::Persistent(info[i].As<Napi::Object>()));
  std::vector<float> queries(call.queries.Data(), call.queries.Data() + call.queries.ElementLength());
  auto work = [queries = std::move(queries), values = copy_of(call.row_span),
               scales = copy_of(call.scale_span), rows = call.rows, query_count = call.query_count,
               k = call.k, given = call.given, threads = call.threads,
               borrowing = info.Env().GetInstanceData<AddonData>()->borrowing]() mutable {
    const Borrowed borrowed(borrowing);
    ending::check();  // not before the memory is known to be borrowed
    if (values != nullptr) rows.values = values.get();
    if (scales != nullptr) rows.scales = reinterpret_cast<const float*>(scales.get());
    Found found{std::vector<int32_t>(given), std::vector<float>(given)};
    topk_dot(found.indices.data(), found.scores.data(), queries.data(), query_count, rows, k, threads);
    return found;
  };
  auto finish = [held = std::move(held), given = call.given](Napi::Env env, const Found& found) {
    // Fails when the caller gave an array away meanwhile.
    int32_t* const indices = int_array((*held)[2].Value(), "indices", given).Data();
    float* const scores = float_array((*held)[3].Value(), "scores", given).Data();
    std::copy_n(found.indices.data(), given, indices);
    std::copy_n(found.scores.data(), given, scores);
    return env.Undefined();
  };
  return run_async(info.Env(), jobs(info.Env()), std::move(work), std::move(finish));
}

}  // namespace vssl::binding
