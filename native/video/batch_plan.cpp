// A batch plan as a whole: its views of clips and of arrays, their rows, and where a patch goes.
#include <algorithm>
#include <limits>
#include <set>

#include "plan.h"
#include "plan_values.h"

namespace vssl::video {

namespace {

constexpr const char* kTypes[] = {"float32", "int64"};  // in the order of DType
constexpr int64_t kMaxSamples = int64_t{1} << 31, kMaxValues = int64_t{1} << 31;
constexpr int64_t kMaxWhole = (int64_t{1} << 53) - 1;  // of JavaScript's safe integers
constexpr double kMaxFloat = std::numeric_limits<float>::max();

void read_clips(ViewPlan& view, const Value& v, const std::string& name) {
  const auto& clips = v["clips"].as_array(name + ".clips");
  if (clips.empty()) fail(name + ".clips", "at least one clip");
  for (size_t i = 0; i < clips.size(); ++i) {
    const std::string clip_name = name + ".clips[" + std::to_string(i) + "]";
    view.clips.push_back(parse_clip(clips[i], clip_name));
    const ClipPlan& clip = view.clips.back();
    const std::vector<int64_t> shape = {static_cast<int64_t>(clips.size()), clip.frames(), clip.height,
                                        clip.width, 3};
    if (i == 0) view.buffer.shape = shape;
    if (view.buffer.shape != shape) fail(clip_name, "a clip like the view's others, " + view.buffer.text());
  }
}

std::vector<int64_t> read_shape(const Value& v, const std::string& name, size_t rows) {
  std::vector<int64_t> shape = {static_cast<int64_t>(rows)};
  double values = 1;
  for (const Value& d : v.as_array(name)) {
    shape.push_back(whole(d, name, 1, kMaxValues));
    values *= static_cast<double>(shape.back());
    if (values > static_cast<double>(kMaxValues))
      fail(name, "at most " + std::to_string(kMaxValues) + " values a row");
  }
  return shape;
}

float read_float(const Value& v, const std::string& name) {
  const double d = finite(v, name);
  if (std::fabs(d) > kMaxFloat) fail(name, "a number that a float can hold");
  return static_cast<float>(d);
}

void read_values(ViewBuffer& array, const Value& v, const std::string& name) {
  array.dtype = static_cast<DType>(one_of(v["dtype"], kTypes, name + ".dtype"));
  const auto& rows = v["values"].as_array(name + ".values");
  array.shape = read_shape(v["shape"], name + ".shape", rows.size());
  const int64_t values = array.row_values();
  const auto row_name = [&](size_t i) { return name + ".values[" + std::to_string(i) + "]"; };
  for (size_t i = 0; i < rows.size(); ++i) {  // all of them before memory is taken for all
    if (static_cast<int64_t>(rows[i].as_array(row_name(i)).size()) != values)
      fail(row_name(i), std::to_string(values) + " values, as shape says,");
  }
  array.allocate();
  int64_t at = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    for (const Value& value : rows[i].as_array(row_name(i))) {
      if (array.dtype == DType::kInt64) {
        array.ints()[at++] = whole(value, row_name(i), -kMaxWhole, kMaxWhole);
      } else {
        array.floats()[at++] = read_float(value, row_name(i));
      }
    }
  }
}

// Which samples have the view; nothing where all have it, said or not.
void read_rows(ViewBuffer& buffer, const Value& v, const std::string& name, int64_t samples) {
  if (v["rows"].is_null()) {
    if (buffer.shape[0] == samples) return;
    fail(name + (v["values"].is_null() ? ".clips" : ".values"),
         "one row for each of the batch's " + std::to_string(samples) + " samples, or rows beside it,");
  }
  for (const Value& row : v["rows"].as_array(name + ".rows")) {
    const int64_t lowest = buffer.rows.empty() ? 0 : buffer.rows.back() + 1;
    if (lowest == samples) fail(name + ".rows", "each of the " + std::to_string(samples) + " samples once");
    buffer.rows.push_back(whole(row, name + ".rows (ascending)", lowest, samples - 1));
  }
  if (static_cast<int64_t>(buffer.rows.size()) != buffer.shape[0])
    fail(name + ".rows", "the sample of each of the view's " + std::to_string(buffer.shape[0]) + " rows");
  if (buffer.shape[0] == samples) buffer.rows.clear();
}

std::vector<int64_t> read_slots(const Value& v, const BatchPlan& batch) {
  std::vector<int64_t> slots;
  if (v.is_null()) return slots;
  std::set<int64_t> seen;
  for (const Value& s : v.as_array("slots")) {
    slots.push_back(whole(s, "slots[]", 0, kMaxSamples));
    if (!seen.insert(slots.back()).second) fail("slots", "each slot once");
  }
  if (static_cast<int64_t>(slots.size()) != batch.samples)
    fail("slots", "one slot per sample (" + std::to_string(batch.samples) + ")");
  for (const ViewPlan& view : batch.views) {
    if (view.buffer.shape[0] != batch.samples)
      fail("slots", "a patch whose samples all have view " + view.buffer.text());
  }
  return slots;
}

// All that needs no count of samples. Names are those of no other view or side array.
ViewPlan read_view(const Value& v, const std::string& name, std::set<std::string>& names) {
  ViewPlan view;
  view.buffer.name = v["name"].as_string(name + ".name");
  if (!names.insert(view.buffer.name).second)
    fail(name + ".name", "a name that no other view or side array has");
  if (v["values"].is_null()) {
    read_clips(view, v, name);
  } else {
    if (!v["clips"].is_null()) fail(name, "either clips or values");
    read_values(view.buffer, v, name);
  }
  return view;
}

}  // namespace

BatchPlan parse_batch_plan(const Value& plan) {
  if (!plan.is_object()) fail("plan", "an object { version, views }");
  const int64_t version = plan.get_int("version", 0);
  if (version != 1 && version != 2)
    fail("version", "1 or 2, the plan formats of this build, but received " + std::to_string(version));
  const auto& views = plan["views"].as_array("views");
  if (views.empty()) fail("views", "at least one view");
  static const Value::Array none;
  const auto& side = plan["side"].is_null() ? none : plan["side"].as_array("side");
  BatchPlan batch;
  std::set<std::string> names;
  const auto named = [](const char* list, size_t i) { return list + ("[" + std::to_string(i) + "]"); };
  for (size_t i = 0; i < views.size(); ++i) {
    batch.views.push_back(read_view(views[i], named("views", i), names));
    // A view that names no rows has one for each sample.
    if (batch.samples == 0 && views[i]["rows"].is_null()) batch.samples = batch.views.back().buffer.shape[0];
  }
  for (size_t i = 0; i < side.size(); ++i) {
    const std::string name = named("side", i);
    if (side[i]["values"].is_null() || !side[i]["rows"].is_null())
      fail(name, "values for each sample, and no rows");
    batch.side.push_back(read_view(side[i], name, names).buffer);
    if (batch.samples == 0) batch.samples = batch.side.back().shape[0];
  }
  if (batch.samples == 0) fail("views", "one at least, or a side array, that every sample has");
  for (size_t i = 0; i < views.size(); ++i)
    read_rows(batch.views[i].buffer, views[i], named("views", i), batch.samples);
  for (size_t i = 0; i < side.size(); ++i) read_rows(batch.side[i], side[i], named("side", i), batch.samples);
  batch.slots = read_slots(plan["slots"], batch);
  return batch;
}

}  // namespace vssl::video
