#include "method.h"

namespace vssl::engine {

const MethodEntry& find_method(const std::string& name) {
  std::string names;
  for (const MethodEntry& entry : method_list()) {
    if (entry.name == name) return entry;
    names += (names.empty() ? "" : ", ") + entry.name;
  }
  throw_invalid("unknown method \"" + name + "\"; expected one of: " + names);
}

std::unique_ptr<Method> create_method(const MethodEntry& entry, const Value& options, const Value& model,
                                      uint64_t seed, const Placement& placement) {
  Options reader(options, "the method " + entry.name + " (" + entry.file + ")");
  auto method = entry.create({reader, model, seed, placement});
  reader.finish();
  return method;
}

}  // namespace vssl::engine
