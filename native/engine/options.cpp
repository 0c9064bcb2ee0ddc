#include "options.h"

#include <cmath>

namespace vssl::engine {

Options::Options(const Value& values, std::string owner) : values_(values), owner_(std::move(owner)) {
  if (!values.is_null()) values.as_object("the options of " + owner_);
}

bool Options::flag(const std::string& key) { return value(key).as_bool(key); }

double Options::number(const std::string& key, double least) {
  const double number = value(key).as_number(key);
  if (std::isfinite(number) && number >= least) return number;
  refuse(key, "a number of at least " + std::to_string(least), std::to_string(number));
}

int64_t Options::count(const std::string& key, int64_t least, int64_t most) {
  const int64_t number = value(key).as_int(key);
  if (number >= least && number <= most) return number;
  refuse(key, "a whole number from " + std::to_string(least) + " to " + std::to_string(most),
         std::to_string(number));
}

const Value& Options::value(const std::string& key) {
  read_.insert(key);
  const Value& found = values_[key];
  if (!found.is_null()) return found;
  throw_invalid(owner_ + " needs the option \"" + key +
                "\", and what TypeScript gives it (nativeOptions) has none");
}

void Options::finish() const {
  if (values_.is_null()) return;
  for (const auto& entry : values_.as_object(owner_)) {
    if (read_.count(entry.first) > 0) continue;
    throw_invalid(owner_ + " has no option \"" + entry.first +
                  "\"; it has: " + names_of(read_, [](const std::string& key) { return key; }));
  }
}

void Options::refuse(const std::string& key, const std::string& expected, const std::string& got) const {
  throw_invalid("expected " + expected + " for the option \"" + key + "\" of " + owner_ + ", got " + got);
}

}  // namespace vssl::engine
