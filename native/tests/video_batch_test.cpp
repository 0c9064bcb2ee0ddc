// Batch plans as a whole: clips beside arrays, views that some samples lack, side arrays, patches.
#include <cmath>

#include "video_testing.h"

namespace vssl::video {
namespace {

using Object = Value::Object;
using Array = Value::Array;

constexpr int kSide = 4;

// A clip of one frame whose every pixel is `level` of 255.
class Clips {
 public:
  explicit Clips(Loader& loader) : loader_(loader) {}
  Value operator()(uint8_t level) {
    const std::vector<uint8_t> frame(kSide * kSide * 3, level);
    const int64_t id = loader_.add_memory_clip(frame.data(), 1, kSide, kSide);
    return Value(plain_clip(Value(Object{{"kind", Value("memory")}, {"id", Value(id)}, {"fps", Value(1)}}),
                            {0}, kSide, kSide));
  }

 private:
  Loader& loader_;
};

Value rows_of(const std::vector<std::vector<double>>& rows) {
  Array out;
  for (const auto& row : rows) out.push_back(list(row));
  return Value(out);
}

Object clip_view(const std::string& name, const Array& clips) {
  return {{"name", Value(name)}, {"clips", Value(clips)}};
}

Object array(const std::string& name, const std::string& dtype, const std::vector<double>& shape,
             const std::vector<std::vector<double>>& rows) {
  return {{"name", Value(name)}, {"dtype", Value(dtype)}, {"shape", list(shape)}, {"values", rows_of(rows)}};
}

Object with(Object entry, const std::string& key, const Value& value) {
  entry[key] = value;
  return entry;
}

Object plan_of(const std::vector<Object>& views, const std::vector<Object>& side = {}) {
  return {{"version", Value(2)},
          {"views", Value(Array(views.begin(), views.end()))},
          {"side", Value(Array(side.begin(), side.end()))}};
}

std::vector<float> floats(const ViewBuffer& v) {
  std::vector<float> values(static_cast<size_t>(v.shape[0] * v.row_values()));
  v.copy_to(values.data());
  return values;
}

std::vector<int> levels(const ViewBuffer& view) {
  const std::vector<float> values = floats(view);
  std::vector<int> out;
  for (int64_t i = 0; i < view.shape[0]; ++i)
    out.push_back(static_cast<int>(std::lround(values[i * view.row_values()] * 255)));
  return out;
}

std::vector<int64_t> ints(const ViewBuffer& v) { return {v.ints(), v.ints() + v.shape[0] * v.row_values()}; }

using Shape = std::vector<int64_t>;

// Clips that all samples have, clips and numbers of some, and numbers of all.
Object mixed_plan(Clips& clip) {
  return plan_of({clip_view("a", {clip(10), clip(20), clip(30), clip(40)}),
                  with(clip_view("b", {clip(50), clip(60)}), "rows", list({1, 3})),
                  with(array("tokens", "int64", {2}, {{1, -9007199254740991}, {3, 9007199254740991}}), "rows",
                       list({0, 3}))},
                 {array("codes", "float32", {2, 1}, {{0.5, 1}, {1.5, 2}, {2.5, 3}, {3.5, 4}}),
                  array("labels", "int64", {}, {{7}, {8}, {9}, {-1}})});
}

void test_mixed() {
  for (const int threads : {1, 3}) {
    Loader loader({threads, 0});
    Clips clip(loader);
    const LoadResult r = load(loader, Value(mixed_plan(clip)));
    const Batch& b = *r.batch;
    check(r.failures.empty() && b.samples == 4 && b.views.size() == 3 && b.side.size() == 2,
          "clips, arrays and side arrays");
    check(b.views[0].shape == Shape{4, 1, kSide, kSide, 3} && b.views[0].rows.empty() &&
              levels(b.views[0]) == std::vector<int>{10, 20, 30, 40},
          "clips of all samples");
    check(b.views[1].shape == Shape{2, 1, kSide, kSide, 3} && b.views[1].rows == Shape{1, 3} &&
              levels(b.views[1]) == std::vector<int>{50, 60},
          "clips of some samples");
    check(b.views[2].dtype == DType::kInt64 && b.views[2].shape == Shape{2, 2} &&
              b.views[2].rows == Shape{0, 3} &&
              ints(b.views[2]) == Shape{1, -9007199254740991, 3, 9007199254740991},
          "whole numbers of some samples, the largest too");
    check(b.side[0].name == "codes" && b.side[0].shape == Shape{4, 2, 1} &&
              floats(b.side[0]) == std::vector<float>{0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4},
          "floats of each sample");
    check(b.side[1].shape == Shape{4} && ints(b.side[1]) == Shape{7, 8, 9, -1}, "one number a sample");
    for (const auto& views : {b.views, b.side})
      for (const ViewBuffer& v : views)
        check(reinterpret_cast<uintptr_t>(v.data.get()) % 64 == 0, v.text() + " is aligned");
    check(b.views[2].row_of(3) == 1 && b.views[2].row_of(1) == -1 && b.views[0].row_of(2) == 2 &&
              b.views[0].row_of(4) == -1,
          "the row of a sample");
  }
}

// What the plan may leave out or say in two ways.
void test_forms() {
  Loader loader({1, 0});
  Clips clip(loader);
  const Object view = clip_view("a", {clip(1), clip(2)});
  Object old = plan_of({view});
  old["version"] = Value(1);
  old.erase("side");
  check(levels(load(loader, Value(old)).batch->views[0]) == std::vector<int>{1, 2}, "plans of version 1");
  check(
      load(loader, Value(plan_of({with(view, "rows", list({0, 1}))}, {array("n", "int64", {}, {{1}, {2}})})))
          .batch->views[0]
          .rows.empty(),
      "rows of all samples are no rows");
  const Batch alone = *load(loader, Value(plan_of({array("x", "float32", {3}, {{1, 2, 3}})}))).batch;
  check(alone.samples == 1 && floats(alone.views[0]) == std::vector<float>{1, 2, 3}, "a plan without clips");
  const Batch lacking =
      *load(loader, Value(plan_of({view, with(array("x", "float32", {3}, {}), "rows", Value(Array{}))})))
           .batch;
  check(lacking.views[1].shape == Shape{0, 3} && lacking.views[1].row_of(0) == -1,
        "numbers that no sample of this batch has");
}

// A failure is told by the sample, whichever row it has.
void test_failure(bool packs) {
  Loader loader({2, 0, packs});
  Clips clip(loader);
  const Value gone(plain_clip(Value(Object{{"kind", Value("memory")}, {"id", Value(999)}, {"fps", Value(1)}}),
                              {0}, kSide, kSide));
  const LoadResult r =
      load(loader, Value(plan_of({clip_view("a", {clip(1), clip(2), clip(3)}),
                                  with(clip_view("b", {gone, clip(4)}), "rows", list({1, 2}))})));
  check((r.batch->views[0].packed != nullptr) == packs, "packed where that is asked for");
  check(r.failures.size() == 1 && r.failures[0].view == 1 && r.failures[0].sample == 1, "sample 1 failed");
  check(levels(r.batch->views[1]) == std::vector<int>{0, 4}, "its row holds zeros, the other one its clip");
}

void test_patch(bool packs) {
  Loader loader({2, 0, packs});
  Clips clip(loader);
  const LoadResult first = load(loader, Value(mixed_plan(clip)));
  // sample 3 has every view
  Object patch = plan_of(
      {clip_view("a", {clip(140)}), clip_view("b", {clip(160)}), array("tokens", "int64", {2}, {{5, 6}})},
      {array("codes", "float32", {2, 1}, {{9, 9}}), array("labels", "int64", {}, {{11}})});
  patch["slots"] = list({3});
  const LoadResult r = load(loader, Value(patch), first.batch);
  const Batch& b = *r.batch;
  check(r.batch == first.batch && r.failures.empty(), "written into the batch");
  check(levels(b.views[0]) == std::vector<int>{10, 20, 30, 140} &&
            levels(b.views[1]) == std::vector<int>{50, 160} &&
            ints(b.views[2]) == Shape{1, -9007199254740991, 5, 6} &&
            floats(b.side[0]) == std::vector<float>{0.5, 1, 1.5, 2, 2.5, 3, 9, 9} &&
            ints(b.side[1]) == Shape{7, 8, 9, 11},
        "the sample's rows are new, the others as they were");

  const auto refused = [&](const std::string& part, const Object& plan) {
    check_throws("ERR_VSSL_INVALID_ARGUMENT", part, [&] { load(loader, Value(plan), first.batch); });
  };
  const auto views = [&](size_t i, const Object& view) {
    Array list = patch.at("views").as_array("views");
    list[i] = Value(view);
    return with(patch, "views", Value(list));
  };
  refused("sample 1 has not", with(patch, "slots", list({1})));
  refused("below 4", with(patch, "slots", list({4})));
  refused("one slot per sample", with(patch, "slots", list({2, 3})));
  refused("samples all have view 'tokens'",
          views(2, with(array("tokens", "int64", {2}, {}), "rows", Value(Array{}))));
  refused("expected 'tokens' (int64 rows of 2)", views(2, array("tokens", "int64", {3}, {{1, 2, 3}})));
  refused("expected 'tokens' (int64 rows of 2)", views(2, array("tokens", "float32", {2}, {{1, 2}})));
  refused("expected 'tokens' (int64 rows of 2)", views(2, array("words", "int64", {2}, {{1, 2}})));
  refused("the same views and side arrays", with(patch, "side", Value(Array{})));
  check(floats(*first.batch) == floats(b), "a refused patch changes nothing");
  check(ints(b.views[2]) == Shape{1, -9007199254740991, 5, 6} && ints(b.side[1]) == Shape{7, 8, 9, 11},
        "nor does it the numbers");
}

void test_refusals() {
  Loader loader({1, 0});
  Clips clip(loader);
  const Object view = clip_view("a", {clip(1), clip(2), clip(3)});
  const Object numbers = array("x", "float32", {2}, {{1, 2}, {3, 4}, {5, 6}});
  const Object some = array("x", "int64", {}, {{1}, {2}});
  const auto refused = [&](const std::string& part, const Object& plan) {
    check_throws("ERR_VSSL_INVALID_ARGUMENT", part, [&] { load(loader, Value(plan)); });
  };
  const auto beside = [&](const Object& other) { return plan_of({view, other}); };
  const auto side = [&](const Object& other) { return plan_of({view}, {other}); };

  refused("rows beside it, for views[1].values", beside(some));
  refused("for side[0].values", side(some));
  refused("for side[0]", side(with(some, "rows", list({0, 1}))));
  refused("for side[0]", side(clip_view("b", {clip(1), clip(2), clip(3)})));
  refused("each of the view's 2 rows for views[1].rows", beside(with(some, "rows", list({0}))));
  refused("each of the view's 2 rows for views[1].rows", beside(with(some, "rows", list({0, 1, 2}))));
  for (const std::vector<double>& rows :
       std::vector<std::vector<double>>{{1, 0}, {1, 1}, {0, 3}, {-1, 0}, {0, 1.5}, {0, NAN}, {0, 1, 2, 3}})
    refused("views[1].rows", beside(with(some, "rows", list(rows))));
  refused("that every sample has", plan_of({with(some, "rows", list({0, 1}))}));
  refused("that every sample has", plan_of({array("x", "int64", {}, {})}));
  refused("either clips or values for views[0]", plan_of({with(numbers, "clips", Value(Array{clip(1)}))}));
  refused("for views[1].name", beside(with(numbers, "name", Value("a"))));
  refused("for side[0].name", side(with(numbers, "name", Value("a"))));
  refused("views[1].name", beside(with(numbers, "name", Value())));
  refused("float32 or int64 for views[1].dtype", beside(with(numbers, "dtype", Value("float64"))));
  refused("2 values, as shape says, for views[1].values[2]",
          beside(with(numbers, "values", rows_of({{1, 2}, {3, 4}, {5}}))));
  refused("views[1].values[0]", beside(with(numbers, "values", list({1, 2, 3}))));
  for (const std::vector<double>& shape :
       std::vector<std::vector<double>>{{}, {3}, {0}, {-2}, {1.5}, {2, 2}, {1e5, 1e5}, {1e9, 1e9, 1e9}})
    refused("views[1]", beside(with(numbers, "shape", list(shape))));
  for (const double value :
       {1.5, 9007199254740992.0, -9007199254740992.0, 1e300, double(NAN), double(INFINITY)})
    refused("views[1].values[1]", beside(array("x", "int64", {}, {{1}, {value}, {3}})));
  for (const double value : {1e39, -1e300, double(NAN), double(-INFINITY)})
    refused("views[1].values[2]", beside(array("x", "float32", {}, {{1}, {2}, {value}})));
  refused("side", with(plan_of({view}), "side", Value(3)));
  // Each part is allowed, and together they are more than there can be: refused before they are taken.
  Object vast =
      plain_clip(Value(Object{{"kind", Value("synthetic")}}), std::vector<double>(4096, 0.0), 8192, 8192);
  check_throws("ERR_VSSL_OUT_OF_MEMORY", "a batch of 3 samples", [&] {
    load(loader, Value(plan_of({with(clip_view("v", {Value(vast)}), "rows", list({2})), numbers})));
  });
}

}  // namespace
}  // namespace vssl::video

int main() {
  using namespace vssl::video;
  test_mixed();
  test_forms();
  for (const bool packs : {false, true}) test_failure(packs);
  for (const bool packs : {false, true}) test_patch(packs);
  test_refusals();
  return vssl::finish();
}
