#include "inputs.h"

#include <cmath>
#include <sstream>

#include "errors.h"

namespace vssl::engine {

namespace {

std::string shape_of(const std::vector<int64_t>& sizes) {
  std::string text;
  for (const int64_t size : sizes) text += ", " + (size < 0 ? "any" : std::to_string(size));
  return "(rows" + text + ")";
}

std::string type_of(at::ScalarType type) { return type == at::kLong ? "int64" : "float32"; }

bool fits(const RowsSpec& spec, const Rows& rows) {
  const auto sizes = rows.data.sizes();
  if (rows.data.scalar_type() != spec.dtype || sizes.size() != spec.shape.size() + 1) return false;
  for (size_t i = 0; i < spec.shape.size(); ++i)
    if (spec.shape[i] >= 0 && sizes[i + 1] != spec.shape[i]) return false;
  return true;
}

// `kind`: "view" or "side array".
void check_rows(const std::string& method, const std::string& kind, const std::vector<RowsSpec>& specs,
                const std::vector<Rows>& given, int64_t samples) {
  for (const Rows& rows : given)
    if (!find_named(specs, rows.name))
      throw_invalid(method + " reads no " + kind + " \"" + rows.name + "\"; it reads: " + names_of(specs));
  for (const RowsSpec& spec : specs) {
    const Rows* rows = find_named(given, spec.name);
    if (!rows && spec.optional) continue;
    if (!rows)
      throw_invalid(method + " reads the " + kind + " \"" + spec.name +
                    "\"; the batch has: " + names_of(given));
    if (!fits(spec, *rows))
      throw_invalid(method + " reads the " + kind + " \"" + spec.name + "\" as " + type_of(spec.dtype) + " " +
                    shape_of(spec.shape) + ", got " + type_of(rows->data.scalar_type()) + " " +
                    shape_text(rows->data.sizes()));
    if (!spec.optional && (!rows->samples.empty() || rows->data.size(0) != samples))
      throw_invalid(method + " reads the " + kind + " \"" + spec.name + "\" of each of the " +
                    std::to_string(samples) + " samples, got " + std::to_string(rows->data.size(0)) +
                    " rows");
  }
}

std::string range_of(const NumberSpec& spec) {
  std::ostringstream text;
  text << (spec.whole ? "a whole number from " : "a number from ") << spec.low << " to " << spec.high;
  return text.str();
}

void check_numbers(const std::string& method, const std::vector<NumberSpec>& specs, const Value& numbers) {
  for (const auto& entry : numbers.as_object("the numbers of a step"))
    if (!find_named(specs, entry.first))
      throw_invalid(method + " knows no number hyper." + entry.first + "; it knows: " + names_of(specs));
  for (const NumberSpec& spec : specs) {
    const Value& value = numbers[spec.name];
    const std::string name = "hyper." + spec.name;
    if (value.is_null() && !spec.required) continue;
    if (value.is_null()) throw_invalid(method + " needs " + name + ": " + range_of(spec));
    const double number = value.as_number(name);
    if (number >= spec.low && number <= spec.high && (!spec.whole || number == std::floor(number))) continue;
    std::ostringstream text;
    text << "expected " << range_of(spec) << " for " << name << ", got " << number;
    throw_invalid(text.str());
  }
}

}  // namespace

RowsSpec clip_view(const std::string& name) { return {name, at::kFloat, {3, -1, -1, -1}}; }

NumberSpec seed_spec(const std::string& name, bool required) {
  return {name, 0, static_cast<double>(int64_t{1} << 53), true, required};
}

void check_inputs(const std::string& method, const Inputs& inputs, const std::vector<Rows>& views,
                  const std::vector<Rows>& side, int64_t samples, const Value& numbers) {
  check_rows(method, "view", inputs.views, views, samples);
  check_rows(method, "side array", inputs.side, side, samples);
  check_numbers(method, inputs.numbers, numbers);
}

void check_same_shape(const Rows& a, const Rows& b) {
  if (a.data.sizes() != b.data.sizes())
    throw_invalid("expected views " + a.name + " and " + b.name + " of the same shape, got " +
                  shape_text(a.data.sizes()) + " and " + shape_text(b.data.sizes()));
}

}  // namespace vssl::engine
