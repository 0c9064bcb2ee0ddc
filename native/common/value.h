// A small tree of plain data (null, boolean, number, string, array, object): the form in which plans and
// settings cross from TypeScript into C++. Readers name the path of a wrong entry, so that an error teaches.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "error.h"

namespace vssl {

class Value {
 public:
  using Array = std::vector<Value>;
  using Object = std::map<std::string, Value>;

  Value() = default;
  Value(bool b) : data_(b) {}
  Value(double d) : data_(d) {}
  Value(int i) : data_(static_cast<double>(i)) {}
  Value(int64_t i) : data_(static_cast<double>(i)) {}
  Value(const char* s) : data_(std::string(s)) {}
  Value(std::string s) : data_(std::move(s)) {}
  Value(Array a) : data_(std::move(a)) {}
  Value(Object o) : data_(std::move(o)) {}

  bool is_null() const { return std::holds_alternative<std::monostate>(data_); }
  bool is_bool() const { return std::holds_alternative<bool>(data_); }
  bool is_number() const { return std::holds_alternative<double>(data_); }
  bool is_string() const { return std::holds_alternative<std::string>(data_); }
  bool is_array() const { return std::holds_alternative<Array>(data_); }
  bool is_object() const { return std::holds_alternative<Object>(data_); }

  // `name` is the entry's path, used in the error when the type differs.
  bool as_bool(const std::string& name) const { return get<bool>(name, "a boolean"); }
  double as_number(const std::string& name) const { return get<double>(name, "a number"); }
  int64_t as_int(const std::string& name) const {
    const double d = as_number(name);
    if (!(d >= -9007199254740992.0 && d <= 9007199254740992.0))
      throw_type(name, "a whole number");  // NaN too
    const auto i = static_cast<int64_t>(d);
    if (static_cast<double>(i) != d) throw_type(name, "a whole number");
    return i;
  }
  const std::string& as_string(const std::string& name) const { return get<std::string>(name, "a string"); }
  const Array& as_array(const std::string& name) const { return get<Array>(name, "an array"); }
  const Object& as_object(const std::string& name) const { return get<Object>(name, "an object"); }

  // Entry of an object; null when it is absent.
  const Value& operator[](const std::string& key) const {
    static const Value null;
    if (!is_object()) return null;
    const auto& o = std::get<Object>(data_);
    const auto it = o.find(key);
    return it == o.end() ? null : it->second;
  }

  // Entry of an object, or a default when it is absent or null.
  bool get_bool(const std::string& key, bool fallback) const {
    const Value& v = (*this)[key];
    return v.is_null() ? fallback : v.as_bool(key);
  }
  double get_number(const std::string& key, double fallback) const {
    const Value& v = (*this)[key];
    return v.is_null() ? fallback : v.as_number(key);
  }
  int64_t get_int(const std::string& key, int64_t fallback) const {
    const Value& v = (*this)[key];
    return v.is_null() ? fallback : v.as_int(key);
  }
  std::string get_string(const std::string& key, const std::string& fallback) const {
    const Value& v = (*this)[key];
    return v.is_null() ? fallback : v.as_string(key);
  }

 private:
  template <typename T>
  const T& get(const std::string& name, const char* expected) const {
    if (const T* p = std::get_if<T>(&data_)) return *p;
    throw_type(name, expected);
  }
  [[noreturn]] static void throw_type(const std::string& name, const char* expected) {
    throw Error("ERR_VSSL_INVALID_ARGUMENT", "expected " + std::string(expected) + " for " + name);
  }

  std::variant<std::monostate, bool, double, std::string, Array, Object> data_;
};

}  // namespace vssl
