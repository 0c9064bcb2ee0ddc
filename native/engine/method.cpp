#include "method.h"

namespace vssl::engine {

const MethodEntry& find_method(const std::string& name) {
  if (const MethodEntry* found = find_named(method_list(), name)) return *found;
  throw_invalid("unknown method \"" + name + "\"; expected one of: " + names_of(method_list()));
}

std::unique_ptr<Method> create_method(const MethodEntry& entry, const Value& options, const Value& model,
                                      uint64_t seed, const Placement& placement) {
  Options reader(options, "the method " + entry.name + " (" + entry.file + ")");
  auto method = entry.create({reader, model, seed, placement});
  reader.finish();
  return method;
}

}  // namespace vssl::engine
