#include "errors.h"

#include <algorithm>
#include <cmath>

namespace vssl::engine {

void check_keys(const Value& settings, const std::vector<std::string>& known, const std::string& where) {
  if (settings.is_null()) return;
  for (const auto& [key, value] : settings.as_object(where)) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    throw_invalid("unknown key " + where + "." + key +
                  "; expected one of: " + names_of(known, [](const std::string& k) { return k; }));
  }
}

double number_in(const Value& settings, const std::string& key, double fallback, double low, double high) {
  const double value = settings.get_number(key, fallback);
  if (!(value >= low && value <= high) || !std::isfinite(value))
    throw_invalid("expected " + key + " from " + std::to_string(low) + " to " + std::to_string(high) +
                  ", got " + std::to_string(value));
  return value;
}

int64_t int_in(const Value& settings, const std::string& key, int64_t fallback, int64_t low, int64_t high) {
  const int64_t value = settings.get_int(key, fallback);
  if (value < low || value > high)
    throw_invalid("expected a whole number from " + std::to_string(low) + " to " + std::to_string(high) +
                  " for " + key + ", got " + std::to_string(value));
  return value;
}

void rethrow_translated() {
  try {
    throw;
  } catch (const c10::OutOfMemoryError& e) {
    throw Error("ERR_VSSL_OUT_OF_MEMORY", e.what_without_backtrace());
  } catch (const c10::Error& e) {
    const std::string what = e.what_without_backtrace();
    // The CPU allocator reports a failed allocation as a plain error.
    const bool memory = what.find("can't allocate memory") != std::string::npos;
    throw Error(memory ? "ERR_VSSL_OUT_OF_MEMORY" : "ERR_VSSL_TORCH", what);
  } catch (const std::bad_alloc&) {
    throw Error("ERR_VSSL_OUT_OF_MEMORY",
                "the system has no more memory; use smaller batches or train.accumulate");
  } catch (const std::exception& e) {
    throw Error("ERR_VSSL_TORCH", e.what());
  }
}

}  // namespace vssl::engine
