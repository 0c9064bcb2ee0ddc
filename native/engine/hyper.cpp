#include "hyper.h"

#include <cmath>
#include <sstream>

#include "errors.h"

namespace vssl::engine {

namespace {

std::string range_of(const HyperKey& key) {
  std::ostringstream text;
  text << (key.whole ? "a whole number from " : "a number from ") << key.low << " to " << key.high;
  return text.str();
}

void check_number(const Value& value, const HyperKey& key, const std::string& name) {
  const double number = value.as_number(name);
  if (number >= key.low && number <= key.high && (!key.whole || number == std::floor(number))) return;
  std::ostringstream text;
  text << "expected " << range_of(key) << " for " << name << ", got " << number;
  throw_invalid(text.str());
}

}  // namespace

HyperKey seed_key(const std::string& name, bool required) {
  return {name, 0, static_cast<double>(int64_t{1} << 53), true, required};
}

void check_hyper(const Value& hyper, const std::vector<HyperKey>& keys, int64_t clips) {
  std::vector<std::string> known;
  for (const HyperKey& key : keys) known.push_back(key.name);
  check_keys(hyper, known, "hyper");
  for (const HyperKey& key : keys) {
    const Value& value = hyper[key.name];
    const std::string name = "hyper." + key.name;
    if (value.is_null()) {
      if (!key.required) continue;
      throw_invalid("this method's step needs " + name + ": " +
                    (key.per_clip > 0 ? std::to_string(key.per_clip * clips) + " numbers" : range_of(key)));
    }
    if (key.per_clip == 0) {
      check_number(value, key, name);
      continue;
    }
    const auto& numbers = value.as_array(name);
    if (static_cast<int64_t>(numbers.size()) != key.per_clip * clips)
      throw_invalid("expected " + std::to_string(key.per_clip) + " x " + std::to_string(clips) +
                    " numbers for " + name + ", got " + std::to_string(numbers.size()));
    for (const Value& number : numbers) check_number(number, key, name);
  }
}

}  // namespace vssl::engine
