// Settings read key by key. All are required and none has a default: TypeScript fills them in, so what the
// two sides disagree about is an error at once.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "errors.h"

namespace vssl::engine {

class Options {
 public:
  // `owner` is named in errors: whose options these are.
  Options(const Value& values, std::string owner);

  bool flag(const std::string& key);
  // Finite and at least `least`, which is where the arithmetic ends, not where sense does.
  double number(const std::string& key, double least);
  int64_t count(const std::string& key, int64_t least, int64_t most = int64_t{1} << 31);
  // One of several names.
  template <typename Choice>
  Choice choice(const std::string& key, const std::vector<std::pair<std::string, Choice>>& choices) {
    const std::string& name = value(key).as_string(key);
    for (const auto& [known, choice] : choices)
      if (known == name) return choice;
    refuse(key, "one of " + names_of(choices, [](const auto& c) { return c.first; }), "\"" + name + "\"");
  }
  // As it is. Throws when it is absent.
  const Value& value(const std::string& key);

  // Throws when there is a key that nobody has read.
  void finish() const;

 private:
  [[noreturn]] void refuse(const std::string& key, const std::string& expected, const std::string& got) const;

  const Value& values_;
  std::string owner_;
  std::set<std::string> read_;
};

}  // namespace vssl::engine
