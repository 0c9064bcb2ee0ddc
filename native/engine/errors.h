// What crosses the facade: vssl::Error only, and settings that are checked key by key.
#pragma once

#include <new>
#include <string>
#include <utility>
#include <vector>

#include "../common/value.h"
#include "engine.h"
#include "tensor.h"

namespace vssl::engine {

[[noreturn]] inline void throw_invalid(const std::string& message) {
  throw Error("ERR_VSSL_INVALID_ARGUMENT", message);
}

// "a, b, c" for error messages, "(none)" of nothing; `name_of` gives the name of an item.
template <typename Items, typename NameOf>
std::string names_of(const Items& items, const NameOf& name_of) {
  std::string names;
  for (const auto& item : items) names += (names.empty() ? "" : ", ") + std::string(name_of(item));
  return names.empty() ? "(none)" : names;
}

// The item of that name; null when there is none.
template <typename Item>
const Item* find_named(const std::vector<Item>& items, const std::string& name) {
  for (const Item& item : items)
    if (item.name == name) return &item;
  return nullptr;
}

template <typename Item>
std::string names_of(const std::vector<Item>& items) {
  return names_of(items, [](const Item& item) { return item.name; });
}

// Throws when `settings` is not an object (null counts as an empty one) or has a key that is not in `known`.
void check_keys(const Value& settings, const std::vector<std::string>& known, const std::string& where);

// Reads a finite number with bounds (inclusive).
double number_in(const Value& settings, const std::string& key, double fallback, double low, double high);
int64_t int_in(const Value& settings, const std::string& key, int64_t fallback, int64_t low, int64_t high);

// Sets each target to the source tensor of its name. Names, shapes and types must match one to one; nothing
// is written when they do not (ERR_VSSL_WEIGHTS).
void load_exact(const std::vector<std::pair<std::string, Tensor>>& targets,
                const std::vector<NamedTensor>& source);

// libtorch's own exceptions as vssl::Error: ERR_VSSL_OUT_OF_MEMORY or ERR_VSSL_TORCH. Call within a catch
// block.
[[noreturn]] void rethrow_translated();

template <typename F>
auto translated(F&& body) -> decltype(body()) {
  try {
    return body();
  } catch (const Error&) {
    throw;
  } catch (...) {
    rethrow_translated();
  }
}

}  // namespace vssl::engine
